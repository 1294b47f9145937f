"""The rates at which credits are priced: those of the day of the close, as numbers take them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from app.ground.access.principal import Principal
from app.language.metrics.rates import load, statement
from app.language.query.binds import Binds
from app.sales.incentives.asked import Period, Priced

_PAIRS = """
with recursive pairs(source, target) as (
  (select from_currency, to_currency from exchange_rates
   where tenant_id = $1 and deleted_at is null order by from_currency, to_currency limit 1)
  union all
  select n.* from pairs p cross join lateral (
    select from_currency, to_currency from exchange_rates
    where tenant_id = $1 and deleted_at is null and (from_currency, to_currency) > (p.source, p.target)
    order by from_currency, to_currency limit 1
  ) n
)
select source, target from pairs
"""
"""One step of the index for each: of rates there are as many as days."""


async def rates(
    session: Any,
    principal: Principal,
    period: Period,
    targets: Iterable[str],
    *,
    also: Iterable[tuple[str, date]] = (),
) -> Priced:
    """Of every currency that has any, on every day of the period, in each currency that is paid in: fewer than the
    period has deals, and to look for the days of some deals would be to look for the deals twice."""
    wanted_in = sorted(set(targets))
    pairs = await session.connection.fetch(_PAIRS, session.tenant_id)
    sources = {x for pair in pairs for x in pair} | set(wanted_in)
    days = [period.first + timedelta(n) for n in range((period.last - period.first).days)]
    wanted = {(source, day) for source in sources for day in days} | set(also)
    priced = Priced([], [], [], [])
    binds = Binds.of(principal)
    binds.known_now = True
    known, home = statement(binds), principal.tenant.home_currency
    for target in wanted_in:
        found = await load(session, known, wanted, target, home, binds.standing(principal))
        for currency, day in sorted(wanted):
            rate = found.rate(currency, day)
            if rate is not None:
                priced.source.append(currency)
                priced.target.append(target)
                priced.day.append(day)
                priced.rate.append(rate)
    return priced
