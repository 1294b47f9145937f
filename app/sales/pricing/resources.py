"""The nouns of what we sell."""

from app.language.resources import fields as f
from app.language.resources.resource import Listing, Resource
from app.sales.pricing import floors, models

products = Resource(
    name="product",
    plural="products",
    title="Product",
    description="Something that is sold. Its cost is seen by managers, analysts, integrations and admins only.",
    table=models.products,
    history=models.products_history,
    search=("name", "code"),
    fields=(
        f.text("name", "Name.", "GTX Pro", required=True),
        f.picklist("family", "Product family.", "GTX"),
        f.text("code", "Stock keeping unit.", "GTX-PRO-01", max_length=80),
        f.money("list_price", "List price of one unit.", 4821),
        f.money(
            "cost", "What one unit costs us.", 2710,
            read_roles=models.COST_ROLES,
        ),
        f.text("currency", "Currency of price and cost, ISO 4217; the home currency when left out.", "USD",
               max_length=3, currency=True),
        f.flag("active", "Whether it is still sold.", default=True),
    ),
    listings=(Listing(name="prices", target="prices", via="product_id", description="What it costs, book by book."),),
    default_sort=("name",),
)  # fmt: skip

price_books = Resource(
    name="price_book",
    plural="price_books",
    title="Price book",
    description="A list of prices, say of a country or a channel. A deal without one is priced by the default book.",
    table=models.price_books,
    history=models.price_books_history,
    fields=(
        f.text("name", "Name.", "Europe, direct", required=True),
        f.text("description", "Whom it is for.", "Direct sales in Europe", max_length=1000),
        f.flag("is_default", "Whether deals without a price book use this one.", default=False),
        f.choice(
            "below_floor",
            "What becomes of a line item below its floor price: refused, or let in and flagged.",
            models.FLOOR_POLICIES,
            default="refuse",
        ),
    ),
    listings=(Listing(name="prices", target="prices", via="price_book_id", description="Its prices."),),
    default_sort=("name",),
    unique=(("is_default",),),
)

prices = Resource(
    name="price",
    plural="prices",
    title="Price",
    description=(
        "What a product costs by a price book from a day on, until its own end or the day on which the next one "
        "begins. A line item without a list price takes the one that holds on the day of the deal's close, else today."
    ),
    table=models.prices,
    history=models.prices_history,
    fields=(
        f.reference("price_book_id", "price_books", "The price book.", required=True, write="create"),
        f.reference("product_id", "products", "The product.", required=True, write="create"),
        f.text(
            "currency", "ISO 4217 code; prices one currency only.", "EUR", required=True, max_length=3, currency=True
        ),
        f.day("starts_on", "First day on which it holds.", "2026-01-01", required=True),
        f.day("ends_on", "First day on which it no longer holds; null for until the next.", "2027-01-01"),
        f.money("list_price", "List price of one unit.", 600, required=True),
        f.money("floor_price", "What one unit may not be sold under.", 480),
    ),
    label="currency",
    default_sort=("-starts_on",),
    check=floors.check_prices,
    unique=(("price_book_id", "product_id", "currency", "starts_on"),),
)  # fmt: skip

RESOURCES = (products, price_books, prices)
