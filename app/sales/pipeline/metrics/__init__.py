"""Numbers about deals and their lines: two facts, their populations, and what is said of them."""

from app.sales.pipeline.metrics.ageing import AGEING
from app.sales.pipeline.metrics.conversion import CONVERSION
from app.sales.pipeline.metrics.expansion import EXPANSION
from app.sales.pipeline.metrics.fact import credited
from app.sales.pipeline.metrics.pipeline import PIPELINE
from app.sales.pipeline.metrics.populations import BOOKINGS, CLOSED_DEALS, OPEN_DUE, WON_OF_CLOSED
from app.sales.pipeline.metrics.products import PRODUCTS
from app.sales.pipeline.metrics.progress import PROGRESS
from app.sales.pipeline.metrics.pushes import PUSHES
from app.sales.pipeline.metrics.revenue import REVENUE
from app.sales.pipeline.metrics.slippage import SLIPPAGE
from app.sales.pipeline.metrics.terms import TERMS

METRICS = (
    *REVENUE, *TERMS, *PRODUCTS, *EXPANSION, *CONVERSION, *PROGRESS, *PIPELINE, *AGEING, *SLIPPAGE, *PUSHES,
)  # fmt: skip

__all__ = ["BOOKINGS", "CLOSED_DEALS", "METRICS", "OPEN_DUE", "WON_OF_CLOSED", "credited"]
