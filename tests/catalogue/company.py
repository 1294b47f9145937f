"""Records of every noun, made from its declaration, so that a new noun is covered without a word here.

What a declaration cannot say (a quota has one holder, splits sum to one) stands in `RULES`. A noun whose payloads the
service refuses fails the tests by its name, with the refusal.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from app.areas import CATALOGUE
from app.language.resources.fields import Field
from app.language.resources.resource import Child, Resource

CURRENCIES = ("USD", "EUR", "GBP", "JPY")
WORDS = (
    "alpha",
    "Beta",
    "gamma ray",
    "Ärger",
    "100%",
    "under_score",
    "O'Neill",
    'say "so"',
    "back\\slash",
    "日本",
)


def written(plural: str) -> bool:
    return "create" in CATALOGUE[plural].operations


def in_order() -> list[Resource]:
    """Nouns after those that they refer to."""
    found: list[Resource] = []

    def visit(noun: Resource) -> None:
        if noun in found:
            return
        for target in targets(noun):
            if target != noun.plural:
                visit(CATALOGUE[target])
        found.append(noun)

    for noun in CATALOGUE:
        visit(noun)
    return found


def targets(noun: Resource) -> set[str]:
    fields = [*noun.fields, *(field for child in noun.children for field in child.fields)]
    return {field.target for field in fields if field.target}


class Maker:
    """Payloads of one tenant. `known` holds what may be referred to, by plural; it grows as records are made."""

    def __init__(self, seed: object, known: Mapping[str, Sequence[str]] | None = None) -> None:
        self.random = random.Random(str(seed))
        self.known: dict[str, list[str]] = {name: list(ids) for name, ids in (known or {}).items()}
        self.facts: dict[str, Any] = {}
        """What the rules of a noun need to know of records, by id: a stage's pipeline and category."""
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count

    def payload(
        self, noun: Resource, *, creating: bool = True, empty: float = 0.25, without: str | None = None
    ) -> dict[str, Any]:
        """Every field that may be written; an optional one is null with the chance `empty`, and no row in `without`."""
        serial = self.next()
        fields = [x for x in noun.writable if creating or x.write == "always"]
        data = {field.name: self.value(field, empty) for field in fields}
        for names in noun.unique:
            self._make_unique(noun, data, names, serial)
        for child in noun.children:
            data[child.name] = [] if child.name == without else self.children(child)
        if rule := RULES.get(noun.plural):
            rule(data, self)
        return data

    def children(self, child: Child, most: int = 3) -> list[dict[str, Any]]:
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        for index in range(self.random.randrange(most)):
            row = {
                field.name: self.value(field, 0 if field.name in child.key else 0.25)
                for field in child.fields
                if field.write != "never"
            }
            row |= {name: index for name in ("position",) if name in row}
            if "external_id" in row:
                row["external_id"] = f"{child.singular}-{self.next()}" if index else None
            rows[tuple(row.get(name) for name in child.key)] = row
        return list(rows.values())

    def _make_unique(self, noun: Resource, data: dict[str, Any], names: Iterable[str], serial: int) -> None:
        kinds = {noun.by_name[name].kind: name for name in names if name in data}
        if set(kinds) <= {"reference"}:
            return  # by a rule, or nothing of it is written
        if "text" in kinds and not noun.by_name[kinds["text"]].currency:
            name = kinds["text"]
            if data[name] is not None:
                data[name] = f"{data[name]} {serial}"
        elif "day" in kinds:
            data[kinds["day"]] = str(date(2026, 1, 1) + timedelta(days=serial))
        elif "flag" in kinds:
            data[kinds["flag"]] = False
        else:
            raise AssertionError(f"{noun.plural}: say in company.py how {names} are made unique")

    def value(self, field: Field, empty: float = 0.25) -> Any:
        """A value of the field's kind within its bounds."""
        if field.kind == "custom":
            return {}  # what a tenant adds has a test of its own
        if not field.required and self.random.random() < empty:
            return None
        pick = self.random.choice
        match field.kind:
            case "text" if field.currency:
                return pick(CURRENCIES)
            case "text":
                return f"{pick(WORDS)} {pick(WORDS)} {self.random.randrange(3)}"[: field.max_length]
            case "picklist":
                return pick((field.example, *WORDS[:3]))
            case "choice":
                return pick(field.values)
            case "integer":
                least, most = field.minimum or 0, field.maximum or 0
                return self.random.randint(int(max(least, 0)), int(min(most, 9)))
            case "money":
                return self.random.randrange(0, 100_000) / pick((1, 100, 10_000))
            case "number":
                least, most = field.minimum or 0, min(field.maximum or 9, 9)
                return round(max(self.random.uniform(least, most), least or 0.0001), 4)
            case "flag":
                return pick((True, False))
            case "day":
                return str(date(2025, 12, 1) + timedelta(days=self.random.randrange(150)))
            case "moment":
                day = date(2026, 1, 1) + timedelta(days=self.random.randrange(100))
                return f"{day}T{self.random.randrange(24):02}:30:00+00:00"
            case "json":
                return self.random.sample(WORDS[:4], self.random.randrange(3))
            case "numbers":
                most = int(field.maximum or 0)
                return [
                    self.random.randint(0, 10_000 * most) / 10_000 for _ in range(self.random.randint(1, 4))
                ]
            case "question":
                return {"metrics": [pick(("bookings", "won_deals"))], "period": "2026", "by": ["rep"]}
            case "reference":
                ids = self.known.get(field.target or "", [])
                assert ids or not field.required, f"{field.name} needs a record of {field.target}"
                return pick(ids) if ids else None
            case _:
                raise AssertionError(f"say in company.py what a value of the kind {field.kind} looks like")


def _opportunity(data: dict[str, Any], make: Maker) -> None:
    """Open deals have no close, closed ones have; the pipeline follows the stage; no stage makes demands here."""
    data.pop("pipeline_id")
    data["stage_id"] = make.random.choice(make.known["stages"])
    closed = make.facts.get(data["stage_id"], {}).get("category", "open") != "open"
    data["opened_at"] = "2026-01-02T10:00:00+00:00"
    data["closed_at"] = (
        f"2026-0{make.random.randrange(1, 4)}-{make.random.randrange(3, 29):02}T15:30:00+00:00"
    )
    if not closed:
        data["closed_at"] = None
    splits = [x for x in data.get("splits", ()) if x["kind"] == "revenue"]
    for split in splits:
        split["share"] = 1 if len(splits) == 1 else 0.5
    for index, role in enumerate(data.get("contact_roles", ())):
        role["is_primary"] = index == 0


PERIODS = (
    ("2025", date(2025, 1, 1)),
    ("2026", date(2026, 1, 1)),
    ("2026-Q2", date(2026, 4, 1)),
    ("2026-03", date(2026, 3, 1)),
    ("FY2026-Q3", date(2026, 7, 1)),
)


def _quota(data: dict[str, Any], make: Maker) -> None:
    holder = make.random.choice(("rep_id", "team_id", "territory_id"))
    target = CATALOGUE["quotas"].by_name[holder].target
    data |= dict.fromkeys(("rep_id", "team_id", "territory_id"))
    data[holder] = make.random.choice(make.known[target or ""])
    data["metric"] = make.random.choice(("bookings", "won_deals", "calls"))
    data["period"], begins = make.random.choice(PERIODS)
    parts = {"2025": (4, 12), "2026": (4, 12), "2026-03": ()}.get(data["period"], (3,))
    data["seasonality"] = (
        [1.5, *range(make.random.choice(parts) - 1)] if parts and data["seasonality"] else None
    )
    if holder != "rep_id":
        data["ramp_schedule_id"] = None
    for index, version in enumerate(data.get("versions", ())):
        version["effective_from"] = str(begins + timedelta(days=3 * index + 2))


def _quota_relief(data: dict[str, Any], make: Maker) -> None:
    """Of a share or of an amount, over days that end after they begin; who decided goes with the decision."""
    data[make.random.choice(("share", "amount"))] = None
    if "metric" in data:
        data["metric"] = make.random.choice(("bookings", "won_deals"))
    if data["share"] is None and data["amount"] is None:
        data["share"] = 0.25
    data["ends_on"] = str(
        date.fromisoformat(data["starts_on"]) + timedelta(days=make.random.randrange(1, 40))
    )
    if data["state"] in (None, "requested"):
        data |= {"decided_at": None, "decided_by_id": None}
    else:
        data["decided_at"] = data["decided_at"] or "2026-02-27T10:00:00+00:00"


def _stage(data: dict[str, Any], make: Maker) -> None:
    data["required_fields"] = []


def _rep(data: dict[str, Any], make: Maker) -> None:
    """Under somebody who was there before, if anybody: so no cycle."""
    if "changes" in make.facts:
        data["manager_id"] = None


def _price_book(data: dict[str, Any], make: Maker) -> None:
    """Random line items lie below random floors."""
    data["below_floor"] = "flag"


def _price(data: dict[str, Any], make: Maker) -> None:
    data["ends_on"] = None
    data["floor_price"] = min(data["list_price"], data["floor_price"] or 1)


def _lead(data: dict[str, Any], make: Maker) -> None:
    """It is somebody's or waits in a queue, came in at a known moment, and is converted by its verb alone."""
    data[make.random.choice(("owner_id", "queue_id"))] = None
    data["received_at"] = data["received_at"] or "2026-01-02T10:00:00+00:00"
    for name in ("converted_at", "converted_account_id", "converted_contact_id", "converted_opportunity_id"):
        del data[name]


def _scoring_rule(data: dict[str, Any], make: Maker) -> None:
    data["field"] = make.random.choice(("company", "title", "email"))
    data["operator"] = make.random.choice(("eq", "ne", "contains", "starts_with"))


def _person(data: dict[str, Any], make: Maker) -> None:
    """A lead or a contact; no campaign has the same person twice."""
    campaigns, leads, contacts = (make.known[x] for x in ("campaigns", "leads", "contacts"))
    name, ids = (("lead_id", leads), ("contact_id", contacts))[make.count % 2]
    data |= {"lead_id": None, "contact_id": None, name: ids[make.count // 2 % len(ids)]}
    if "campaign_id" in data and data["campaign_id"] is not None:
        data["campaign_id"] = campaigns[make.count // (2 * len(ids)) % len(campaigns)]


def _custom_field(data: dict[str, Any], make: Maker) -> None:
    if "name" in data:
        data["noun"] = make.random.choice(("opportunities", "accounts", "quotas"))
        data["name"] = f"field_{make.count}"


def _board(data: dict[str, Any], make: Maker) -> None:
    """Each row of an audience says one thing."""
    for row in data.get("audience", ()):
        said = make.random.choice([name for name, value in row.items() if value is not None] or ["role"])
        row |= {name: row[name] if name == said else None for name in row}
        row["role"] = row["role"] or ("rep" if said == "role" else None)
    rows = {tuple(row.values()): row for row in data.get("audience", ())}
    data["audience"] = list(rows.values())


def _comp_plan_version(data: dict[str, Any], make: Maker) -> None:
    """Each component pays in one way of its kind; where there are tiers, the first one by them."""
    components, tiers = data["components"], data["tiers"]
    if not components:
        data["tiers"] = []
        return
    for component in components:
        kind = component["kind"]
        free = {"code", "kind", "recoverable"} | ({"applies_when"} if kind != "draw" else set())
        ways: tuple[str, ...] = ("amount",)
        if kind not in ("bonus", "draw"):
            free |= {"measure", "threshold", "cap", "hold_until", "clawback_days"}
            ways = ("rate", "formula", "amount")
        way = make.random.choice(ways)
        component |= {name: None for name in component if name not in {*free, way}}
        component[way] = {"rate": 0.1, "formula": "amount * 0.1", "amount": 500.25}[way]
        component["measure"] = "margin" if way == "rate" else None
        if component["applies_when"] is not None:
            component["applies_when"] = "attainment >= 1" if kind == "bonus" else "amount >= 1000"
        component["recoverable"] = make.random.choice((True, False, None))
    if tiers:
        components[0] |= {
            "kind": "commission",
            "rate": None,
            "formula": None,
            "amount": None,
            "measure": "amount",
        }
        components[0] |= {
            "tiered_by": "attainment",
            "tiering": make.random.choice(("marginal", "retroactive")),
        }
    for index, tier in enumerate(tiers):
        tier |= {"component": components[0]["code"], "above": index / 2}


def _plan_assignment(data: dict[str, Any], make: Maker) -> None:
    """No two of them share a day, whoever they are of."""
    begins = date(1990, 1, 1) + timedelta(days=30 * make.count)
    data |= {"starts_on": str(begins), "ends_on": str(begins + timedelta(days=29))}


def _comp_period(data: dict[str, Any], make: Maker) -> None:
    """A month of its own, far from those that are calculated."""
    if "period" in data:
        data["period"] = f"{2031 + make.count // 12}-{make.count % 12 + 1:02}"


RULES: dict[str, Callable[[dict[str, Any], Maker], None]] = {
    "opportunities": _opportunity,
    "quotas": _quota,
    "quota_reliefs": _quota_relief,
    "stages": _stage,
    "custom_fields": _custom_field,
    "reps": _rep,
    "price_books": _price_book,
    "prices": _price,
    "leads": _lead,
    "scoring_rules": _scoring_rule,
    "campaign_members": _person,
    "touches": _person,
    "boards": _board,
    "comp_plan_versions": _comp_plan_version,
    "plan_assignments": _plan_assignment,
    "comp_periods": _comp_period,
}

JUDGED_TOGETHER = {"comp_plan_versions"}
"""Whose lists name each other, so that none of them changes alone."""
