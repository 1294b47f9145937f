"""The nouns of what we sell."""

from app.language.resources import fields as f
from app.language.resources.resource import Resource
from app.sales.pricing import models

products = Resource(
    name="product",
    plural="products",
    title="Product",
    description="Something that is sold. Its cost is seen by managers, analysts, integrations and admins only.",
    table=models.products,
    history=models.products_history,
    fields=(
        f.text("name", "Name.", "GTX Pro", required=True),
        f.picklist("family", "Product family.", "GTX"),
        f.text("code", "Stock keeping unit.", "GTX-PRO-01", max_length=80),
        f.money("list_price", "List price of one unit.", 4821),
        f.money(
            "cost", "What one unit costs us.", 2710,
            read_roles=frozenset({"admin", "manager", "analyst", "integration"}),
        ),
        f.text("currency", "Currency of price and cost, ISO 4217; the home currency when left out.", "USD",
               max_length=3, currency=True),
        f.flag("active", "Whether it is still sold.", default=True),
    ),
    default_sort=("name",),
)  # fmt: skip

RESOURCES = (products,)
