"""What we sell."""

from sqlalchemy import Boolean, CheckConstraint, Column, Text, text

from app.ground.database.tables import MONEY, history_of, record_table

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
