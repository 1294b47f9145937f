"""What each credit earns: one statement from deals to lines, exact until the last step.

Deals are split into credits (`credits.py`), put in the order of their closes for each assignment and priced in its
plan's currency, and every component of its version makes lines of them (`earnings.py`). The same statement is posted
(`ledger.py`) or only looked at (`what_if.py`). Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision

from app.sales.incentives import credits, earnings
from app.sales.incentives.asked import Asked, Period, Priced
from app.sales.incentives.assigned import Assigned

_COMPONENTS = """
select k.id, k.version_id, k.code, k.kind, k.applies_when, k.formula, k.tiering, k.cap, k.clawback_days, k.measure
from comp_plan_components k where k.tenant_id = $1 and k.version_id = any($2)
"""


async def components(session: Any, versions: Iterable[UUID]) -> list[Any]:
    return await session.connection.fetch(_COMPONENTS, session.tenant_id, list(set(versions)))


def _digits(currencies: Iterable[str]) -> tuple[list[str], list[int]]:
    known = sorted(set(currencies))
    return known, [get_currency_precision(x) for x in known]


def lines(
    asked: Asked,
    tenant_id: UUID,
    zone: str,
    period: Period,
    assignments: Sequence[Assigned],
    terms: Sequence[Mapping[str, Any]],
    rates: Priced,
    *,
    pay_starts_on: date | None,
    only: bool,
    assumed: Mapping[str, Any] | None = None,
) -> str:
    """Common table expressions that end in `computed`, a row for each line.

    `only` says that the assignments are some of many: then their deals are looked up rep by rep. `assumed` takes an
    open deal for won at a moment.
    """
    give = asked.give
    tenant = give(tenant_id, "uuid")
    starts, ends = give(period.starts, "timestamptz"), give(period.ends, "timestamptz")
    known, digits = _digits([*rates.source, *rates.target, *(x.currency for x in assignments)])
    text = [
        f"""
assigned as materialized (
  select * from unnest(
    {give([x.id for x in assignments], "uuid[]")}, {give([x.rep_id for x in assignments], "uuid[]")},
    {give([x.version_id for x in assignments], "uuid[]")}, {give([x.currency for x in assignments], "text[]")},
    {give([x.first for x in assignments], "date[]")}, {give([x.last for x in assignments], "date[]")},
    {give([x.target for x in assignments], "numeric[]")},
    {give([x.on_target_earnings for x in assignments], "numeric[]")},
    {give([x.variable_share for x in assignments], "numeric[]")}
  ) as a(assignment_id, rep_id, version_id, currency, first, last, target, on_target_earnings, variable_share)
),
minor as materialized (
  select * from unnest({give(known, "text[]")}, {give(digits, "integer[]")}) as m(currency, digits)
),
fx as materialized (
  select * from unnest(
    {give(rates.source, "text[]")}, {give(rates.target, "text[]")}, {give(rates.day, "date[]")},
    {give(rates.rate, "numeric[]")}
  ) as f(source, target, day, rate)
),
components as materialized (
  select k.*, case k.kind when 'overlay' then 'overlay' when 'override' then 'team' else 'own' end as via,
         exists (select 1 from comp_plan_tiers t where t.tenant_id = {tenant} and t.version_id = k.version_id
                 and t.component = k.code) as tiered
  from comp_plan_components k
  where k.tenant_id = {tenant} and k.version_id in (select version_id from assigned)
),
tiers as materialized (
  select t.version_id, t.component, t.above, t.rate,
         row_number() over w as tier,
         case when row_number() over w = 1 then '-infinity' else t.above end as low,
         coalesce(lead(t.above) over w, 'infinity') as high
  from comp_plan_tiers t
  where t.tenant_id = {tenant} and t.version_id in (select version_id from assigned)
  window w as (partition by t.version_id, t.component order by t.above)
)"""
    ]
    with_team = any(x["kind"] == "override" for x in terms)
    with_reversed = any(x["clawback_days"] is not None for x in terms)
    if with_team:
        text.append(credits.led(tenant))
    if only:
        text.append(credits.candidates(tenant, starts, ends, with_team=with_team))
    zone_ = give(zone, "text")
    first_paid = give(pay_starts_on, "date")
    text.append(credits.deals(asked, tenant, starts, ends, zone_, first_paid, only=only, assumed=assumed))
    if with_reversed:
        text.append(
            credits.reversed(asked, tenant, starts, ends, zone_, first_paid, only=only, assumed=assumed)
        )
    text.append(credits.credits(tenant, with_reversed=with_reversed, with_team=with_team, only=only))
    if any(
        x["measure"] == "margin" or "margin" in (x["formula"] or "") + (x["applies_when"] or "")
        for x in terms
    ):
        text.append(credits.margins(tenant, only=only))
    else:
        text.append(credits.NO_MARGINS)
    text.append(credits.positioned())
    text.append(earnings.pieces(asked, terms))
    text.append(earnings.bonuses(asked, terms))
    text.append(earnings.computed(give(period.id, "uuid")))
    return ",".join(text)
