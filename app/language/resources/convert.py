"""The amounts of very many records in the home currency, without a look-up for each of them.

A currency's rates lie in two small tables that are hashed once: the days on which it has a rate, as one sorted array in
which `width_bucket` finds the last one that is not later, and the rate of each of these days by its place in there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, Numeric, Text, and_, case, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import metadata
from app.language.query.binds import Binds

HOME = Numeric(38, 4)
"""What a converted amount is rounded to, record by record: a sum is that of the amounts that a list shows."""


def converted(
    record: FromClause,
    binds: Binds,
    amount: ColumnElement[Any],
    currency: ColumnElement[Any],
    day: ColumnElement[Any],
) -> tuple[FromClause, ColumnElement[Any]]:
    """`record` with what it is joined to, and its amount in the home currency: null where no rate was known yet."""
    home = binds.named("home", Text())
    rates = metadata.tables["exchange_rates"]
    known = rates.c.tenant_id == binds.tenant, rates.c.to_currency == home, rates.c.deleted_at.is_(None)
    days = (
        select(
            rates.c.from_currency,
            func.array_agg(aggregate_order_by(rates.c.on_day, rates.c.on_day)).label("days"),
        )
        .where(*known)
        .group_by(rates.c.from_currency)
        .subquery("days")
    )
    place = func.row_number().over(partition_by=rates.c.from_currency, order_by=rates.c.on_day)
    steps = select(rates.c.from_currency, rates.c.rate, place.label("place")).where(*known).subquery("steps")
    joined = record.outerjoin(days, days.c.from_currency == currency).outerjoin(
        steps,
        and_(
            steps.c.from_currency == currency,
            steps.c.place == func.width_bucket(cast(day, Date), days.c.days),
        ),
    )
    return joined, case((currency == home, amount), else_=cast(amount * steps.c.rate, HOME))
