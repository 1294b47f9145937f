"""Who is paid by which terms in a period, for which of its days, and against which target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.language.metrics import answer
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import parse
from app.sales.targets.metrics import METRICS

_QUOTAS = MetricCatalogue(x for x in METRICS if x.name == "quota")

_ASSIGNED = """
select a.id, a.rep_id, a.plan_id, coalesce($6, v.id) as version_id, p.currency,
       greatest(a.starts_on, $2) as first, least(coalesce(a.ends_on, 'infinity'), $3) as last,
       a.target, a.on_target_earnings, a.variable_share
from plan_assignments a
join comp_plans p on p.tenant_id = $1 and p.id = a.plan_id and p.deleted_at is null
left join lateral (
  select v.id from comp_plan_versions v
  where v.tenant_id = $1 and v.plan_id = a.plan_id and v.state = 'published' and v.deleted_at is null
    and v.effective_from <= greatest(a.starts_on, $2)
  order by v.effective_from desc limit 1
) v on true
where a.tenant_id = $1 and a.deleted_at is null and a.starts_on < $3 and coalesce(a.ends_on, 'infinity') > $2
  and ($4::uuid[] is null or a.rep_id = any($4))
  and ($5::uuid is null or a.plan_id = $5) and coalesce($6::uuid, v.id) is not null
order by a.id
"""


@dataclass(frozen=True, slots=True)
class Assigned:
    """`target` is for the days from `first` to before `last`; None where there is neither one nor a quota."""

    id: UUID
    rep_id: UUID
    plan_id: UUID
    version_id: UUID
    currency: str
    first: date
    last: date
    target: Decimal | None
    on_target_earnings: Decimal | None
    variable_share: Decimal | None


async def assigned(
    session: Any,
    catalogue: Any,
    principal: Principal,
    days: tuple[date, date],
    reps: Sequence[UUID] | None,
    instead: tuple[UUID, UUID] | None = None,
) -> list[Assigned]:
    """`instead`, a plan and a version: of this plan alone, with that version, say a draft, in the place of its own."""
    plan, version = instead or (None, None)
    rows = await session.connection.fetch(_ASSIGNED, session.tenant_id, *days, reps, plan, version)
    found = [_prorated(Assigned(*row), days) for row in rows]
    return await _with_quotas(session, catalogue, principal, found)


def _prorated(one: Assigned, days: tuple[date, date]) -> Assigned:
    """A target is for a whole period: of a part of it, the part of the days. With six decimals, half even."""
    whole, part = (days[1] - days[0]).days, (one.last - one.first).days
    if one.target is None or whole == part:
        return one
    return replace(one, target=(one.target * part / whole).quantize(Decimal("0.000001")))


def _asks(one: Assigned) -> tuple[date, date, str]:
    return one.first, one.last, one.currency


async def _with_quotas(
    session: Any, catalogue: Any, principal: Principal, found: list[Assigned]
) -> list[Assigned]:
    """The effective quota is the number `quota`, so that pay and attainment cannot tell two of them."""
    lacking = sorted((x for x in found if x.target is None), key=_asks)
    quotas: dict[tuple[UUID, date, date, str], Decimal] = {}
    for (first, last, currency), _ in groupby(lacking, key=_asks):
        question = parse(
            _QUOTAS, principal, metrics=["quota"], period=f"{first}/{last}", by=["rep"], currency=currency
        )
        told = await answer.query(session, principal, catalogue, _QUOTAS, question)
        for row in told.data:
            rep = row["dimensions"]["rep"]["id"]
            if rep is not None and row["value"] is not None:
                quotas[UUID(str(rep)), first, last, currency] = row["value"]
    return [
        x if x.target is not None else replace(x, target=quotas.get((x.rep_id, *_asks(x)))) for x in found
    ]
