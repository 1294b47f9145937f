"""What the demo's reps are paid for, and the quarters that are over: calculated, approved, closed and paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from app.areas import CATALOGUE
from app.demo.calendar import FIRST_DAY, QUARTERS, TODAY
from app.demo.company import HANDED_OVER_ON, HIRED_LATE, REGIONS, TERRITORIES, Company, Row, ref
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.fiscal import month_after
from app.language.resources import write

_TIMEOUT_MS = 120_000
_PAID_AFTER = timedelta(days=25)

_FIELD, _INSIDE, _ENGINEERS, _MANAGERS, _HEADS, _STARTERS = (
    "account-executives", "inside-sales", "sales-engineers", "sales-managers", "vice-presidents", "first-year"
)  # fmt: skip
_NAMES = {
    _FIELD: ("Account executives", "A rate on what is sold, a higher one above the quota."),
    _INSIDE: ("Inside sales", "The rate that the quarter has reached, on all of it; at times a spiff."),
    _ENGINEERS: ("Sales engineers", "Their part of the deals that they helped with, beside the seller's."),
    _MANAGERS: ("Sales managers", "A share of what their people sell, and a bonus for a strong quarter."),
    _HEADS: ("Vice presidents", "A share of what their region sells."),
    _STARTERS: ("First year", "An advance on what a new seller earns, taken back as soon as that allows."),
}
_EARNINGS = {
    _FIELD: (160_000, 0.5), _INSIDE: (130_000, 0.5), _ENGINEERS: (120_000, 0.2), _MANAGERS: (190_000, 0.3),
    _HEADS: (240_000, 0.2),
}  # fmt: skip
"""What a year at target earns, and which part of it hangs on performance."""

_RAISED_ON = date(2026, 1, 1)
_SPIFF = (date(2026, 4, 1), date(2026, 7, 1))
_ADVANCED_MONTHS = 12


def rows(company: Company, *, strong_quarter: float) -> dict[str, list[Row]]:
    """`strong_quarter` is what a team sells in a quarter that earns its manager a bonus."""
    return {
        "comp_plans": [
            {"external_id": f"plan-{key}", "name": name, "description": told, "currency": "USD"}
            for key, (name, told) in _NAMES.items()
        ],
        "comp_plan_versions": list(_versions(strong_quarter)),
        "plan_assignments": list(_assignments(company)),
        "comp_periods": [{"external_id": f"pay-{y}-q{q}", "period": f"FY{y}-Q{q}"} for y, q in QUARTERS],
    }


def _versions(strong_quarter: float) -> Iterator[Row]:
    marginal = {"kind": "commission", "tiered_by": "attainment", "tiering": "marginal", "clawback_days": 90}
    retroactive = {**marginal, "tiering": "retroactive"}
    spiff = {
        "code": "multi_year", "kind": "spiff", "amount": 300, "applies_when": "term_months >= 24",
        "starts_on": _SPIFF[0].isoformat(), "ends_on": _SPIFF[1].isoformat(),
    }  # fmt: skip
    bonus = {"code": "strong_quarter", "kind": "bonus", "amount": 5_000,
             "applies_when": f"credited >= {round(strong_quarter)}"}  # fmt: skip
    yield _version(_FIELD, FIRST_DAY, {"code": "sold", **marginal}, tiers=((0, 0.05), (1, 0.08)))
    yield _version(
        _FIELD, _RAISED_ON, {"code": "sold", **marginal}, tiers=((0, 0.05), (1, 0.08), (1.5, 0.1)),
        note="10 % from one and a half quotas on.",
    )  # fmt: skip
    yield _version(
        _INSIDE, FIRST_DAY, {"code": "sold", **retroactive}, spiff, tiers=((0, 0.03), (0.8, 0.04), (1, 0.045))
    )
    yield _version(_ENGINEERS, FIRST_DAY, {"code": "helped", "kind": "overlay", "rate": 0.015})
    yield _version(_MANAGERS, FIRST_DAY, {"code": "team", "kind": "override", "rate": 0.008}, bonus)
    yield _version(_HEADS, FIRST_DAY, {"code": "region", "kind": "override", "rate": 0.003})
    yield _version(_STARTERS, FIRST_DAY, {"code": "advance", "kind": "draw", "amount": 9_000})


def _version(
    plan: str, since: date, *components: Row, tiers: tuple[tuple[float, float], ...] = (), note: str | None = None
) -> Row:  # fmt: skip
    return {
        "external_id": f"terms-{plan}-{since.year}", "plan_id": ref("plan", plan), "note": note,
        "effective_from": since.isoformat(), "components": [*components],
        "tiers": [{"component": components[0]["code"], "above": above, "rate": rate} for above, rate in tiers],
    }  # fmt: skip


def _assignments(company: Company) -> Iterator[Row]:
    hired = {
        ref("rep", row["external_id"].removeprefix("rep-")): row["hired_on"] for row in company.rows["reps"]
    }
    for seller in company.sellers:
        left = HANDED_OVER_ON if seller is company.leaver else None
        yield _assignment(_FIELD if seller.rank < 3 else _INSIDE, seller.ref, seller.hired_on, left)
        if (seller.territory, seller.rank) in HIRED_LATE:
            yield _assignment(
                _STARTERS, seller.ref, seller.hired_on, month_after(seller.hired_on, _ADVANCED_MONTHS)
            )
    above = [(_HEADS, 2 + region) for region in range(len(REGIONS))]
    above += [(_MANAGERS, 2 + len(REGIONS) + territory) for territory in range(len(TERRITORIES))]
    for plan, number in above:
        rep = ref("rep", f"{number:02d}")
        yield _assignment(plan, rep, date.fromisoformat(hired[rep]))
    for engineer in company.engineers.values():
        yield _assignment(_ENGINEERS, engineer, date.fromisoformat(hired[engineer]))


def _assignment(plan: str, rep: str, starts_on: date, ends_on: date | None = None) -> Row:
    yearly, variable = _EARNINGS.get(plan, (None, None))
    return {
        "external_id": f"{plan}-{rep.rpartition('-')[2]}", "plan_id": ref("plan", plan), "rep_id": rep,
        "starts_on": starts_on.isoformat(), "ends_on": ends_on and ends_on.isoformat(),
        "on_target_earnings": yearly, "variable_share": variable,
    }  # fmt: skip


_DRAFTS = "select id from comp_plan_versions where tenant_id = $1 and state = 'draft' order by effective_from"
_OVER = """
select id, state, ends_on from comp_periods
where tenant_id = $1 and ends_on <= $2 and deleted_at is null order by starts_on
"""
_DUE = "select id from payouts where tenant_id = $1 and period_id = $2 and state = 'due' order by id"
_ON_THE_WAY = ("calculate", "approve", "close")
_REACHED = ("open", "calculated", "approved", "closed")


async def settle(database: Database, principal: Principal, today: date = TODAY) -> None:
    """Pay quarter by quarter what is over, all but the last; where that was interrupted, from there on."""

    async def act(session: Session, plural: str, verb: str, id_: Any, **data: Any) -> None:
        noun = CATALOGUE[plural]
        await write.act(
            session, principal, CATALOGUE, noun, noun.actions_by_name[verb], str(id_), data or None
        )

    async def fetch(session: Session, sql: str, *given: Any) -> list[Any]:
        return await session.connection.fetch(sql, session.tenant_id, *given)

    async def publish(session: Session) -> list[Any]:
        for row in await fetch(session, _DRAFTS):
            await act(session, "comp_plan_versions", "publish", row["id"])
        return await fetch(session, _OVER, today)

    over = await in_transaction(database, principal.tenant_id, publish)
    for period in over:

        async def close(session: Session, period: Any = period) -> None:
            for verb in _ON_THE_WAY[_REACHED.index(period["state"]) :]:
                await act(session, "comp_periods", verb, period["id"])
            if period is not over[-1]:
                for row in await fetch(session, _DUE, period["id"]):
                    await act(
                        session,
                        "payouts",
                        "pay",
                        row["id"],
                        paid_on=(period["ends_on"] + _PAID_AFTER).isoformat(),
                    )

        await in_transaction(database, principal.tenant_id, close, timeout_ms=_TIMEOUT_MS)
