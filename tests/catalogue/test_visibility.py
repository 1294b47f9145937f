"""Who sees what: random companies against the table of `design.md`, worked out by plain Python.

The oracle knows nothing of closures or SQL: it walks up the managers, record by record.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.ground.access.principal import ROLES, Principal, Tenant
from app.language.metrics import answer
from app.language.metrics.question import from_json
from app.language.resources import read, write
from app.language.resources.changes import changes
from app.language.resources.filter import Values, from_tree
from app.language.resources.read import Query
from app.language.resources.shape import full
from tests.catalogue.faces import Graph, Question, Rest, must

COMPANIES, PORTIONS = int(os.environ.get("ATTAIN_TEST_COMPANIES", "40")), 10
NOUNS = (
    "opportunities", "accounts", "contacts", "activities", "quotas", "quota_reliefs", "leads", "campaign_members",
    "touches",
)  # fmt: skip
EXPAND = {
    "opportunities": ["account", "owner", "activities", "splits", "team", "account.parent", "contact_roles"],
    "accounts": ["parent", "opportunities", "activities", "subsidiaries", "owner", "contacts"],
    "contacts": ["account", "owner", "activities", "account.parent", "touches", "memberships"],
    "activities": ["opportunity", "account", "opportunity.account", "contact", "lead"],
    "quotas": ["rep", "team"],
    "quota_reliefs": ["rep", "decided_by"],
    "leads": ["owner", "activities", "touches", "memberships"],
    "campaign_members": ["lead", "contact", "contact.account"],
    "touches": ["lead", "contact"],
    "reps": ["opportunities", "quotas", "quota_reliefs", "reports"],
}
LABELS = {
    "opportunities": "name",
    "accounts": "name",
    "contacts": "name",
    "activities": "subject",
    "quotas": "period",
    "quota_reliefs": "reason",
    "leads": "name",
    "campaign_members": "status",
    "touches": "kind",
}


@dataclass
class Company:
    """A company as plain data, all of it keyed by external id."""

    managers: dict[str, str | None] = field(default_factory=dict)
    teams: dict[str, str | None] = field(default_factory=dict)
    territories: dict[str, str | None] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {noun: {} for noun in (*NOUNS, "deleted")}
    )
    unowned_for: frozenset[str] = frozenset(ROLES)

    def under(self, rep: str, manager: str) -> bool:
        at: str | None = rep
        while at is not None:
            if at == manager:
                return True
            at = self.managers[at]
        return False

    def sees(self, who: str | None, role: str, noun: str, key: str) -> bool:
        if role in ("admin", "analyst", "integration"):
            return True
        row = self.rows[noun][key]

        def reaches(rep: str | None) -> bool:
            return who is not None and rep is not None and self.under(rep, who)

        match noun:
            case "opportunities":
                return any(reaches(x) for x in (row["owner_id"], *row["splits"], *row["team"]))
            case "accounts":
                if row["owner_id"] is None and role in self.unowned_for:
                    return True
                deals = [k for k, deal in self.rows["opportunities"].items() if deal["account_id"] == key]
                return reaches(row["owner_id"]) or any(
                    self.sees(who, role, "opportunities", x) for x in deals
                )
            case "contacts":
                if row["owner_id"] is None and role in self.unowned_for:
                    return True
                account = self.rows["accounts"].get(row["account_id"])
                deals = [
                    k for k, deal in self.rows["opportunities"].items()
                    if key in deal["contacts"] or (account and deal["account_id"] == row["account_id"])
                ]  # fmt: skip
                return (
                    reaches(row["owner_id"])
                    or (account is not None and reaches(account["owner_id"]))
                    or any(self.sees(who, role, "opportunities", x) for x in deals)
                )
            case "activities":
                if row["opportunity_id"] in self.rows["deleted"]:
                    return False  # what was done on a deal goes with the deal
                if row["opportunity_id"] is not None:
                    return self.sees(who, role, "opportunities", row["opportunity_id"])
                if row["account_id"] is not None:
                    return self.sees(who, role, "accounts", row["account_id"])
                if row["contact_id"] is not None:
                    return self.sees(who, role, "contacts", row["contact_id"])
                if row["lead_id"] is not None:
                    return self.sees(who, role, "leads", row["lead_id"])
                return reaches(row["owner_id"])
            case "leads":
                # Waiting in a queue it is nobody's.
                return (row["owner_id"] is None and role in self.unowned_for) or reaches(row["owner_id"])
            case "campaign_members" | "touches":
                person = "leads" if row["lead_id"] is not None else "contacts"
                return self.sees(who, role, person, row["lead_id"] or row["contact_id"])
            case "quota_reliefs":
                return reaches(row["rep_id"])
            case _:
                held = [x for x in (row["rep_id"],) if x]
                for name, places in (("team_id", self.teams), ("territory_id", self.territories)):
                    held += [x for x, place in places.items() if row[name] and place == row[name]]
                return any(reaches(x) for x in held)

    def seen(self, who: str | None, role: str, noun: str) -> set[str]:
        return {key for key in self.rows[noun] if self.sees(who, role, noun, key)}


class Builder:
    """Makes a random company in the database and in the oracle at once."""

    def __init__(self, company: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.database = company.database
        self.model = Company()
        if self.random.random() < 0.5:
            self.model.unowned_for = frozenset(self.random.sample(ROLES, 2))
        base: Tenant = company.tenant
        self.tenant = Tenant(base.id, base.name, base.timezone, base.home_currency, self.model.unowned_for)
        self.admin = Principal(self.tenant, "admin")
        self.ids: dict[str, UUID] = {}
        self.names: dict[str, str] = {}

    async def put(self, session: Any, noun: str, rows: list[dict[str, Any]]) -> list[Any]:
        receipts = await write.upsert(session, self.admin, CATALOGUE, CATALOGUE[noun], "x", rows)
        for row, receipt in zip(rows, receipts, strict=True):
            if receipt.id:
                self.ids[row["external_id"]] = receipt.id
        return receipts

    async def build(self) -> None:
        chance, model = self.random, self.model
        async with self.database.transaction(self.tenant.id) as session:
            await self.put(
                session, "teams", [{"external_id": f"t{i}", "name": f"Team {i}"} for i in range(2)]
            )
            await self.put(
                session, "territories", [{"external_id": f"y{i}", "name": f"Land {i}"} for i in range(2)]
            )
            await self.put(session, "pipelines", [{"external_id": "p", "name": "P", "is_default": True}])
            stage = {"external_id": "s", "pipeline_id": "x:p", "name": "Open", "probability": 0.5}
            await self.put(session, "stages", [stage])
            await self._reps(session)
            reps = list(model.managers)
            maybe = [*reps, None, None]
            for i in range(chance.randrange(2, 7)):
                parent = chance.choice([*model.rows["accounts"], None])
                row = {"owner_id": chance.choice(maybe), "parent_id": parent}
                await self._record(session, "accounts", f"a{i}", row, name=f"Account {i}")
            for i in range(chance.randrange(2, 6)):
                row = {
                    "owner_id": chance.choice(maybe),
                    "account_id": chance.choice([*model.rows["accounts"], None]),
                }
                await self._record(session, "contacts", f"p{i}", row, name=f"Person {i}")
            for i in range(chance.randrange(3, 10)):
                splits = chance.sample(reps, chance.choice((0, 0, 1, 2)))
                row = {
                    "owner_id": chance.choice(maybe),
                    "account_id": chance.choice([*model.rows["accounts"], None]),
                    "splits": splits,
                    "team": chance.sample(reps, chance.choice((0, 0, 1))),
                    "contacts": chance.sample([*model.rows["contacts"]], chance.choice((0, 0, 1, 2))),
                }
                await self._record(
                    session, "opportunities", f"d{i}", row, name=f"Deal {i}", stage_id="x:s", amount=10**i,
                    splits=[{"rep_id": f"x:{x}", "share": 1 / len(splits)} for x in splits],
                    team=[{"rep_id": f"x:{x}"} for x in row["team"]],
                    contact_roles=[{"contact_id": f"x:{x}"} for x in row["contacts"]],
                )  # fmt: skip
            await self._prospects(session, maybe)
            for i in range(chance.randrange(3, 10)):
                row = {
                    "owner_id": chance.choice(maybe),
                    "lead_id": chance.choice([*model.rows["leads"], None, None]),
                    "opportunity_id": chance.choice([*model.rows["opportunities"], None, None]),
                    "account_id": chance.choice([*model.rows["accounts"], None, None]),
                    "contact_id": chance.choice([*model.rows["contacts"], None, None]),
                }
                await self._record(session, "activities", f"c{i}", row, kind="call", subject=f"Call {i}")
            for i in range(chance.randrange(1, 6)):
                holders = {"rep_id": reps, "team_id": ["t0", "t1"], "territory_id": ["y0", "y1"]}
                quota: dict[str, Any] = dict.fromkeys(holders)
                holder = chance.choice(list(holders))
                quota[holder] = chance.choice(holders[holder])
                await self._record(session, "quotas", f"q{i}", quota, period="2026", amount=1)
            for i in range(chance.randrange(1, 6)):
                let_off = {"rep_id": chance.choice(reps)}
                await self._record(
                    session, "quota_reliefs", f"e{i}", let_off, reason="leave", share=0.5,
                    starts_on="2026-03-02", ends_on="2026-03-09",
                )  # fmt: skip
            await self._turn_over(session)

    async def _prospects(self, session: Any, maybe: list[str | None]) -> None:
        chance, model = self.random, self.model
        await self.put(
            session, "campaigns", [{"external_id": f"m{i}", "name": f"Fair {i}"} for i in range(2)]
        )
        await self.put(session, "lead_queues", [{"external_id": "w", "name": "Waiting"}])
        for i in range(chance.randrange(2, 6)):
            owner = chance.choice(maybe)
            row = {"owner_id": owner, "queue_id": None if owner else chance.choice(("w", None))}
            await self._record(session, "leads", f"l{i}", row, name=f"Lead {i}")
        persons = [(name, key) for name, noun in (("lead_id", "leads"), ("contact_id", "contacts"))
                   for key in model.rows[noun]]  # fmt: skip
        for i, (name, key) in enumerate(chance.sample(persons, chance.randrange(1, len(persons)))):
            person: dict[str, Any] = {"lead_id": None, "contact_id": None, name: key}
            row = {"campaign_id": chance.choice(("m0", "m1")), **person}
            await self._record(session, "campaign_members", f"b{i}", row, status="sent")
            if chance.random() < 0.6:
                await self._record(
                    session, "touches", f"o{i}", person, kind="visit", occurred_at="2026-01-05T10:00:00Z"
                )

    async def _record(self, session: Any, noun: str, key: str, row: dict[str, Any], **more: Any) -> None:
        links = {name: f"x:{value}" if value else None for name, value in row.items() if name.endswith("_id")}
        [receipt] = await self.put(session, noun, [{"external_id": key, **links, **more}])
        assert receipt.outcome in ("created", "updated", "unchanged"), receipt
        self.model.rows[noun][key] = row

    async def _reps(self, session: Any) -> None:
        chance, model = self.random, self.model
        for i in range(chance.randrange(4, 13)):
            key = f"r{i}"
            model.managers[key] = chance.choice([*model.managers, None]) if chance.random() < 0.9 else None
            model.teams[key] = chance.choice(("t0", "t1", None))
            model.territories[key] = chance.choice(("y0", "y1", None))
        rows = [
            {
                "external_id": key, "name": f"Rep {key}",
                "team_id": f"x:{model.teams[key]}" if model.teams[key] else None,
                "territory_id": f"x:{model.territories[key]}" if model.territories[key] else None,
            }
            for key in model.managers
        ]  # fmt: skip
        assert {r.outcome for r in await self.put(session, "reps", rows)} == {"created"}
        tied = [{"external_id": k, "manager_id": f"x:{m}" if m else None} for k, m in model.managers.items()]
        assert {r.outcome for r in await self.put(session, "reps", tied)} <= {"updated", "unchanged"}

    async def _turn_over(self, session: Any) -> None:
        """People move, some of them in circles; deals and accounts change hands; lists are emptied; some go."""
        chance, model = self.random, self.model
        reps = list(model.managers)
        for _ in range(chance.randrange(6)):
            rep, manager = chance.choice(reps), chance.choice([*reps, None])
            circle = manager is not None and model.under(manager, rep)
            [receipt] = await self.put(
                session, "reps", [{"external_id": rep, "manager_id": f"x:{manager}" if manager else None}]
            )
            assert (receipt.outcome == "failed") == circle, (rep, manager, receipt)
            if circle:
                assert receipt.errors[0].code == "hierarchy_cycle"
            else:
                model.managers[rep] = manager
        for key, row in model.rows["opportunities"].items():
            if chance.random() < 0.3:
                owner = chance.choice([*reps, None])
                await self._record(
                    session, "opportunities", key, {**row, "owner_id": owner, "splits": []}, splits=[]
                )
        gone = [k for k in model.rows["opportunities"] if chance.random() < 0.1]
        for key in gone:
            await write.delete(session, self.admin, CATALOGUE, CATALOGUE["opportunities"], f"x:{key}")
        self.model.rows["deleted"] = {k: model.rows["opportunities"].pop(k) for k in gone}

    def principals(self) -> list[tuple[str | None, Principal]]:
        found: list[tuple[str | None, Principal]] = [
            (None, Principal(self.tenant, "rep")),
            (None, self.admin),
        ]
        for rep in self.model.managers:
            role = self.random.choice(("rep", "manager"))
            found.append((rep, Principal(self.tenant, role, rep_id=self.ids[rep])))
        return found


def named(builder: Builder) -> dict[str, str]:
    """External ids by id, once the company is built."""
    if not builder.names:
        builder.names = {str(id_): key for key, id_ in builder.ids.items()}
    return builder.names


async def rows_of(session: Any, principal: Principal, noun: str, tree: Any = None, **more: Any) -> Any:
    values = Values()
    resource = CATALOGUE[noun]
    where = None if tree is None else from_tree(CATALOGUE, resource, principal, tree, values)
    expand = more.pop("expand", ())
    shape = full(CATALOGUE, resource, principal.role, expand)
    query = Query(resource=resource, shape=shape, filter=where, values=values, limit=200, total=True, **more)
    page = await read.page(session, principal, CATALOGUE, query)
    return [orjson.loads(x) for x in page.rows], page.total


async def check(builder: Builder, session: Any, who: str | None, principal: Principal) -> None:
    model, role, names = builder.model, principal.role, named(builder)
    seen = {noun: model.seen(who, role, noun) for noun in NOUNS}
    for noun in NOUNS:
        rows, total = await rows_of(session, principal, noun, expand=EXPAND[noun])
        assert {names[row["id"]] for row in rows} == seen[noun], noun
        assert total == len(seen[noun])
        for row in rows:
            expanded(builder, noun, row, seen)
    reps, _ = await rows_of(session, principal, "reps", expand=EXPAND["reps"])
    assert len(reps) == len(model.managers), "the directory is everyone's"
    for rep in reps:
        owned = {k for k, d in model.rows["opportunities"].items() if d["owner_id"] == names[rep["id"]]}
        assert {names[x["id"]] for x in rep["opportunities"]} == owned & seen["opportunities"]
        held = {k for k, q in model.rows["quotas"].items() if q["rep_id"] == names[rep["id"]]}
        assert {names[x["id"]] for x in rep["quotas"]} == held & seen["quotas"]
        let_off = {k for k, x in model.rows["quota_reliefs"].items() if x["rep_id"] == names[rep["id"]]}
        assert {names[x["id"]] for x in rep["quota_reliefs"]} == let_off & seen["quota_reliefs"]
    await through_paths(builder, session, principal, seen)
    if builder.random.random() < 0.15:
        await events(builder, session, principal, seen)
        await aggregates(builder, session, principal, seen)


def expanded(builder: Builder, noun: str, row: dict[str, Any], seen: dict[str, set[str]]) -> None:
    """Whole where it is seen; id and label alone where not; lists hold what is seen."""
    names, model = named(builder), builder.model
    for relation in CATALOGUE[noun].relations.values():
        if relation.name in row and relation.target in NOUNS and row[relation.name]:
            parent = row[relation.name]
            given = {k for k, v in parent.items() if v is not None and v != []}
            if names[parent["id"]] in (*seen[relation.target], *model.rows["deleted"]):
                assert "version" in given
                if parent.get("parent"):
                    further = {k for k, v in parent["parent"].items() if v is not None and v != []}
                    whole = names[parent["parent"]["id"]] in seen["accounts"]
                    assert ("version" in further) == whole
            else:
                assert given <= {"id", LABELS[relation.target]}, (noun, relation.name, given)
    for listing in CATALOGUE[noun].listings:
        if listing.name in row:
            theirs = {k for k, x in model.rows[listing.target].items() if x[listing.via] == names[row["id"]]}
            assert {names[x["id"]] for x in row[listing.name]} == theirs & seen[listing.target], listing.name


async def through_paths(
    builder: Builder, session: Any, principal: Principal, seen: dict[str, set[str]]
) -> None:
    """A condition behind a reference holds only where what lies there is seen: nobody learns by asking."""
    model, names = builder.model, named(builder)

    def has(noun: str, key: str | None) -> bool:
        return key is not None and key in seen[noun]

    deals, calls = model.rows["opportunities"], model.rows["activities"]
    cases: list[tuple[str, Any, Any]] = [
        (
            "opportunities",
            {"account": {"name": {"starts_with": "account"}}},
            lambda k: has("accounts", deals[k]["account_id"]),
        ),
        (
            "opportunities",
            {"activities": {"kind": {"eq": "call"}}},
            lambda k: any(c in seen["activities"] for c, x in calls.items() if x["opportunity_id"] == k),
        ),
        (
            "accounts",
            {"opportunities": {"amount": {"gte": 0}}},
            lambda k: any(d in seen["opportunities"] for d, x in deals.items() if x["account_id"] == k),
        ),
        (
            "activities",
            {"opportunity": {"account": {"name": {"is_null": False}}}},
            lambda k: has("opportunities", calls[k]["opportunity_id"])
            and has("accounts", deals[calls[k]["opportunity_id"]]["account_id"]),
        ),
        (
            "leads",
            {"touches": {"kind": {"eq": "visit"}}},
            lambda k: any(t in seen["touches"] for t, x in model.rows["touches"].items() if x["lead_id"] == k),
        ),
        (
            "touches",
            {"lead": {"name": {"starts_with": "lead"}}},
            lambda k: has("leads", model.rows["touches"][k]["lead_id"]),
        ),
        (
            "campaign_members",
            {"contact": {"account": {"name": {"is_null": False}}}},
            lambda k: has("contacts", (person := model.rows["campaign_members"][k]["contact_id"]))
            and has("accounts", model.rows["contacts"][person]["account_id"]),
        ),
        ("reps", {"opportunities": {"amount": {"gte": 0}}}, lambda k: any(
            d in seen["opportunities"] for d, x in deals.items() if x["owner_id"] == k
        )),
        ("reps", {"quotas": {"amount": {"gte": 0}}}, lambda k: any(
            q in seen["quotas"] for q, x in model.rows["quotas"].items() if x["rep_id"] == k
        )),
    ]  # fmt: skip
    for noun, tree, expected in cases:
        rows, total = await rows_of(session, principal, noun, tree)
        whole = set(model.managers) if noun == "reps" else seen[noun]
        assert {names[x["id"]] for x in rows} == {k for k in whole if expected(k)}, tree
        assert total == len(rows)


async def events(builder: Builder, session: Any, principal: Principal, seen: dict[str, set[str]]) -> None:
    """Whoever sees the record is told of its changes; of a deleted one those who saw it."""
    names = named(builder)
    nouns = tuple(noun for noun in NOUNS if noun != "activities")
    expected = {(noun, key) for noun in nouns for key in seen[noun]}
    told: set[tuple[str, str]] = set()
    for _ in range(200):
        batch = await changes(session, principal, CATALOGUE, None, limit=1000)
        told = {(x.noun, names[str(x.record_id)]) for x in batch.entries if str(x.record_id) in names}
        if told >= expected and {noun for noun, _ in told} >= {"reps", "stages"}:
            break
        # Only what is settled is told, and another test's transaction may be older than ours.
        await asyncio.sleep(0.05)
    deleted = set(builder.model.rows["deleted"])
    for noun in nouns:
        assert {key for of, key in told if of == noun} - deleted == seen[noun], noun
    assert {noun for noun, _ in told} >= {"reps", "stages"}


async def aggregates(builder: Builder, session: Any, principal: Principal, seen: dict[str, set[str]]) -> None:
    """A number never includes what lists hide. Amounts are powers of ten, so a sum tells which deals are in it."""
    deals = builder.model.rows["opportunities"]
    numbers = {"metrics": ["open_deals", "open_pipeline"], "timezone": "UTC"}
    question = from_json(METRIC_CATALOGUE, principal, numbers | {"by": ["rep"]})
    found = await answer.query(session, principal, CATALOGUE, METRIC_CATALOGUE, question)
    expected: dict[Any, list[str]] = {}
    for key in seen["opportunities"]:
        expected.setdefault(deals[key]["owner_id"], []).append(key)
    by_metric: dict[str, dict[Any, Any]] = {"open_deals": {}, "open_pipeline": {}}
    for row in found.data:
        if row["value"]:
            id_ = row["dimensions"]["rep"]["id"]
            by_metric[row["metric"]][named(builder)[str(id_)] if id_ else None] = row["value"]
    assert by_metric["open_deals"] == {rep: len(keys) for rep, keys in expected.items()}
    assert by_metric["open_pipeline"] == {
        rep: sum(10 ** int(key[1:]) for key in keys) for rep, keys in expected.items()
    }
    ones = from_json(METRIC_CATALOGUE, principal, {"metrics": ["open_deals"], "timezone": "UTC"})
    [whole] = (await answer.query(session, principal, CATALOGUE, METRIC_CATALOGUE, ones)).data
    assert whole["value"] == len(seen["opportunities"])


@pytest.mark.parametrize("portion", range(PORTIONS))
async def test_everybody_sees_what_the_table_says(make_tenant: Any, portion: int) -> None:
    for seed in range(portion * COMPANIES // PORTIONS, (portion + 1) * COMPANIES // PORTIONS):
        builder = Builder(await make_tenant(f"Company {seed}"), seed)
        await builder.build()
        async with builder.database.transaction(builder.tenant.id) as session:
            for who, principal in builder.principals():
                try:
                    await check(builder, session, who, principal)
                except AssertionError as error:
                    error.add_note(f"company {seed}, {principal.role} {who}")
                    raise


@pytest.mark.parametrize("seed", [1001, 1002, 1003])
async def test_both_faces_show_the_same_view(make_tenant: Any, rest: Rest, graph: Graph, seed: int) -> None:
    company = await make_tenant(f"Company {seed}")
    builder = Builder(company, seed)
    await builder.build()
    builder.model.unowned_for = frozenset(ROLES)
    names = named(builder)
    for rep in builder.model.managers:
        key = await company.key("manager", builder.ids[rep])
        for noun in NOUNS:
            seen = builder.model.seen(rep, "manager", noun)
            for face in (rest, graph):
                asked = Question(expand=EXPAND[noun], total=True)
                page = await must(face.list(key, CATALOGUE[noun], asked, "manager"))
                assert {names[x] for x in page.ids} == seen
                assert page.total == len(seen)
                for name, id_ in builder.ids.items():
                    if name in builder.model.rows[noun]:
                        found = await face.get(key, CATALOGUE[noun], str(id_), role="manager")
                        assert (getattr(found, "status", 200) == 200) == (name in seen), (noun, name)
