"""What we sell."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Index, Text, text

from app.ground.database.tables import MONEY, history_of, record_table, ref

COST_ROLES = frozenset({"admin", "manager", "analyst", "integration"})
"""Who may read what a product costs us, or a number that betrays it."""

products = record_table(
    "products",
    Column("name", Text, nullable=False),
    Column("family", Text),
    Column("code", Text),
    Column("list_price", MONEY),
    Column("cost", MONEY),
    Column("currency", Text),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint("abs(cost) * 10::numeric ^ scale(trim_scale(cost)) < 1e15", name="cost_digits"),
    CheckConstraint(
        "abs(list_price) * 10::numeric ^ scale(trim_scale(list_price)) < 1e15", name="price_digits"
    ),
)
products_history = history_of(products)

FLOOR_POLICIES = ("refuse", "flag")

price_books = record_table(
    "price_books",
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    Column("below_floor", Text, nullable=False, server_default=text("'refuse'")),
    CheckConstraint("below_floor in ('refuse', 'flag')", name="below_floor"),
    Index(
        "uq_price_books_default", "tenant_id", unique=True,
        postgresql_where=text("is_default and deleted_at is null"),
    ),
)  # fmt: skip
price_books_history = history_of(price_books)

prices = record_table(
    "prices",
    ref("price_book_id", "price_books", nullable=False),
    ref("product_id", "products", nullable=False),
    Column("currency", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    Column("list_price", MONEY, nullable=False),
    Column("floor_price", MONEY),
    CheckConstraint("abs(list_price) * 10::numeric ^ scale(trim_scale(list_price)) < 1e15", name="list_digits"),
    CheckConstraint(
        "abs(floor_price) * 10::numeric ^ scale(trim_scale(floor_price)) < 1e15", name="floor_digits"
    ),
    CheckConstraint("ends_on > starts_on", name="days"),
    CheckConstraint("floor_price <= list_price", name="floor"),
    Index(
        "uq_prices_day", "tenant_id", "product_id", "price_book_id", "currency", "starts_on", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
    Index("ix_prices_price_book_id", "tenant_id", "price_book_id"),
)  # fmt: skip
prices_history = history_of(prices)
