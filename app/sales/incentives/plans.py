"""What the terms of a plan must be, and that nobody changes them once they pay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import literal_column

from app.ground.errors import Conflict, FieldError
from app.language.formula.errors import FormulaError
from app.language.formula.formula import parse
from app.language.formula.types import Type
from app.language.resources.batch import Batch
from app.sales.incentives.lock import lock
from app.sales.incentives.terms import OF_A_CREDIT, OF_A_PERIOD

_PUBLISHED = """
select distinct plan_id from comp_plan_versions
where tenant_id = $1 and plan_id = any($2) and state = 'published' and deleted_at is null
"""


async def check_plans(batch: Batch) -> None:
    """A plan that pays is not deleted: all that it has ever paid would be taken back."""
    ended = [d for d in batch.standing if d.delete]
    ids = [d.record_id for d in ended]
    rows = await batch.session.connection.fetch(_PUBLISHED, batch.session.tenant_id, ids) if ids else []
    paying = {row["plan_id"] for row in rows}
    for draft in ended:
        if draft.record_id in paying:
            draft.fail(
                Conflict("A plan with published terms stays: end its assignments.", code="plan_in_use")
            )


_STORED = {
    "components": "select * from comp_plan_components where tenant_id = $1 and version_id = any($2) order by id",
    "tiers": "select * from comp_plan_tiers where tenant_id = $1 and version_id = any($2) order by id",
}

_WAYS = ("rate", "formula", "amount", "tiers")
_OF_CREDITS = ("commission", "spiff", "overlay", "override")
_ONLY_OF_CREDITS = ("rate", "threshold", "cap", "starts_on", "ends_on", "hold_until", "clawback_days")


async def prepare(batch: Batch) -> None:
    """What is published stays, whatever way somebody would change it."""
    for draft in batch.standing:
        if draft.before is None or draft.before["state"] != "published":
            continue
        if draft.delete or draft.children or any(x in draft.changes for x in ("plan_id", "effective_from")):
            draft.fail(
                Conflict(
                    "What is published does not change: write another version.", code="version_published"
                )
            )


async def check(batch: Batch) -> None:
    stored = await _stored(batch)
    for draft in batch.standing:
        if not draft.is_new and not draft.children and draft.intent != "publish":
            continue
        components, tiers = (
            draft.children.get(name, stored[name].get(draft.record_id, ()))
            for name in ("components", "tiers")
        )
        errors = [*faults(components, tiers)]
        if draft.intent == "publish" and not components:
            errors.append(FieldError("/components", "required", "A version without components pays nothing."))
        if errors:
            draft.refuse_all(errors)


async def _stored(batch: Batch) -> dict[str, dict[Any, list[Mapping[str, Any]]]]:
    """The lists that the request leaves as they are."""
    found: dict[str, dict[Any, list[Mapping[str, Any]]]] = {}
    for name, sql in _STORED.items():
        ids = [d.record_id for d in batch.standing if not d.is_new and name not in d.children]
        rows = await batch.session.connection.fetch(sql, batch.session.tenant_id, ids) if ids else []
        by_version = found.setdefault(name, {})
        for row in rows:
            by_version.setdefault(row["version_id"], []).append(row)
    return found


def faults(
    components: Sequence[Mapping[str, Any]], tiers: Sequence[Mapping[str, Any]]
) -> Iterable[FieldError]:
    """Whatever is wrong with the terms, each with a pointer into the version."""
    codes = Counter(x["code"] for x in components)
    tiered = {code: [x for x in tiers if x["component"] == code] for code in codes}
    for index, component in enumerate(components):
        place = f"/components/{index}"
        if codes[component["code"]] > 1:
            yield FieldError(f"{place}/code", "repeated", "Each component has a code of its own.")
        for name, code, message in _of_one(component, tiered[component["code"]]):
            yield FieldError(f"{place}/{name}", code, message)
    for index, tier in enumerate(tiers):
        if tier["component"] not in codes:
            yield FieldError(
                f"/tiers/{index}/component", "unknown", f'There is no component "{tier["component"]}".'
            )


Fault = tuple[str, str, str]


def _of_one(component: Mapping[str, Any], tiers: Sequence[Mapping[str, Any]]) -> Iterable[Fault]:
    kind = component["kind"]
    ways = [x for x in _WAYS if (tiers if x == "tiers" else component[x] is not None)]
    if kind in _OF_CREDITS:
        yield from _of_credits(component, ways, tiers)
    else:
        for name in _ONLY_OF_CREDITS:
            if component[name] is not None:
                yield name, "not_of_this_kind", f"A {kind} has no {name}."
        if tiers:
            yield "code", "not_of_this_kind", f"A {kind} has no tiers."
        wanted = ("amount",) if kind == "draw" else ("amount", "formula")
        if sum(x in ways for x in wanted) != 1 or set(ways) - {*wanted, "tiers", "rate"}:
            yield "amount", "one_way", f"A {kind} has {' or '.join(wanted)}."
        if kind == "draw" and component["applies_when"] is not None:
            yield "applies_when", "not_of_this_kind", "A draw is of every period."
    for name, expects in (("applies_when", Type.BOOL), ("formula", Type.MONEY)):
        if component[name] is not None:
            yield from ((name, *fault) for fault in _of_formula(component[name], expects, kind))
    if component["starts_on"] and component["ends_on"] and component["ends_on"] <= component["starts_on"]:
        yield "ends_on", "ends_before_start", "It ends after the day on which it begins."


_PERIOD = {name: literal_column(name) for name in OF_A_PERIOD}


def _of_formula(text: str, expects: Type, kind: str) -> Iterable[tuple[str, str]]:
    try:
        formula = parse(text, OF_A_CREDIT, expects=expects, aggregates=kind == "bonus")
    except FormulaError as error:
        for problem in error.problems:
            yield problem.code, str(problem)
        return
    if kind == "bonus":
        try:
            formula.compile(_PERIOD, dict.fromkeys(formula.aggregates, literal_column("0")))
        except KeyError as name:
            yield (
                "outside_aggregate",
                f"A bonus is of many deals: put {name.args[0]} inside of sum, count or the like.",
            )


def _of_credits(
    component: Mapping[str, Any], ways: Sequence[str], tiers: Sequence[Mapping[str, Any]]
) -> Iterable[Fault]:
    if len(ways) != 1:
        yield "rate", "one_way", "What a credit earns is told by one of rate, formula, amount and tiers."
    if component["formula"] is not None and component["measure"] not in (None, "amount"):
        yield "measure", "not_with_formula", "A formula says itself what it is of."
    if component["amount"] is not None and component["measure"] not in (None, "amount", "deal"):
        yield "measure", "not_with_amount", "An amount is paid for each deal."
    if component["measure"] == "deal" and component["amount"] is None:
        yield "measure", "needs_amount", "What each deal pays is an `amount`."
    for name in ("tiered_by", "tiering"):
        if bool(tiers) != (component[name] is not None):
            yield name, "with_tiers", "Tiers need tiered_by and tiering, and nothing else has them."
    if tiers and min(x["above"] for x in tiers) != 0:
        yield "code", "tiers_begin_at_0", "The first tier begins at 0."
    if component["cap"] is not None and component["cap"] < 0:
        yield "cap", "too_small", "Must be at least 0."


_OTHERS = """
select id, rep_id, plan_id, starts_on, ends_on from plan_assignments
where tenant_id = $1 and rep_id = any($2) and deleted_at is null
"""


async def check_assignments(batch: Batch) -> None:
    """A rep is paid by a plan once at a time."""
    drafts = [d for d in batch.standing if d.is_new or d.changed or d.restore]
    reps = list({d.after["rep_id"] for d in drafts})
    if reps:
        await lock(batch.session)
    rows = await batch.session.connection.fetch(_OTHERS, batch.session.tenant_id, reps) if reps else []
    written = {d.record_id for d in drafts if d.record_id is not None}
    taken: list[tuple[Any, Any, date, date]] = [_days(r) for r in rows if r["id"] not in written]
    for draft in drafts:
        if draft.delete:
            continue
        span = _days(draft.after)
        if span[3] <= span[2]:
            draft.refuse("ends_on", "ends_before_start", "It ends after the day on which it begins.")
        elif any(x[:2] == span[:2] and x[2] < span[3] and span[2] < x[3] for x in taken):
            draft.refuse(
                "starts_on", "already_assigned", "The rep is paid by this plan on some of these days."
            )
        else:
            taken.append(span)


def _days(row: Mapping[str, Any]) -> tuple[Any, Any, date, date]:
    return row["rep_id"], row["plan_id"], row["starts_on"], row["ends_on"] or date.max
