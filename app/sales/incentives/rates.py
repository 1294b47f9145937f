"""The rates at which credits are priced: those of the day of the close, as numbers take them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from app.ground.access.principal import Principal
from app.language.metrics.rates import load, statement
from app.language.query.binds import Binds
from app.sales.incentives.asked import Period, Priced

_PRICED = """
select distinct d.currency, (d.closed_at at time zone $4)::date as day from (
  select currency, closed_at from opportunities
  where tenant_id = $1 and category = 'won' and closed_at >= $2 and closed_at < $3
  union all
  select currency, closed_at from opportunities_history
  where tenant_id = $1 and category = 'won' and closed_at >= $2 and closed_at < $3 and valid_to < 'infinity'
    and superseded_at = 'infinity'
) d
"""
_COSTED = "select distinct currency from products where tenant_id = $1"


async def rates(
    session: Any,
    principal: Principal,
    period: Period,
    targets: Iterable[str],
    *,
    with_costs: bool,
    also: Iterable[tuple[str, date]] = (),
) -> Priced:
    """One for every currency and day on which a deal closed, in each currency that is paid in; none where none is
    known."""
    rows = await session.connection.fetch(
        _PRICED, session.tenant_id, period.starts, period.ends, principal.tenant.timezone
    )
    wanted = {(r["currency"], r["day"]) for r in rows} | set(also)
    if with_costs:
        costs = await session.connection.fetch(_COSTED, session.tenant_id)
        wanted |= {(c["currency"], day) for c in costs for _, day in tuple(wanted)}
    priced = Priced([], [], [], [])
    binds = Binds.of(principal)
    binds.known_now = True
    known, home = statement(binds), principal.tenant.home_currency
    for target in sorted(set(targets)):
        found = await load(session, known, wanted, target, home, binds.standing(principal))
        for currency, day in sorted(wanted):
            rate = found.rate(currency, day)
            if rate is not None:
                priced.source.append(currency)
                priced.target.append(target)
                priced.day.append(day)
                priced.rate.append(rate)
    return priced
