"""Another's pay is nowhere: every way in that the catalogue, the numbers and the contract have, tried by everybody.

`r1` is paid an amount like no other, under names and texts like no other. The probes are made from the declarations.
Each that should find something finds it for an admin, so that one which never could is noticed; nothing of it comes to
whoever is not `r1` nor above.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.names import camel
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.language.resources.board import groupable
from app.language.resources.resource import Resource
from app.main import create_app
from app.sales.incentives.metrics import METRICS
from tests.catalogue.faces import behind, selection
from tests.faces.rest.working import at_work
from tests.sales.incentives.office import Office

AMOUNT = 987_654.32
MARKS = re.compile(r"(?<![\w.-])98(?:7[6-9]|8\d)\d\d(?!\d)|Secret")
"""The amount, also with little added to it, and each of the texts. The digits of an id or of a moment are no amount."""
KEPT = ("comp_plans", "comp_plan_versions", "plan_assignments", "statements", "statement_lines", "ledger_entries",
        "payouts")  # fmt: skip
STRANGERS = ("r2", "r3", "otto", "nobody", "ann", "ina", "foreign")
"""A peer, somebody of another branch and who leads it, a key of no rep, and who sees all deals; another's admin."""


@dataclass(frozen=True)
class Probe:
    """`shows`: an admin finds a mark here. `must`: what it answers whoever may not know."""

    name: str
    method: str
    path: str
    json: Any = None
    accept: str = "application/json"
    shows: bool = True
    must: tuple[int, ...] = ()

    @property
    def sent(self) -> str:
        return f"{self.path} {self.json}"


@dataclass
class Kept:
    office: Office
    ids: dict[str, list[str]] = field(default_factory=dict)
    """Of `r1`, by plural; the drafts, which only an admin sees, under `drafts`."""

    async def fetch(self, plural: str, where: str) -> list[str]:
        company = self.office.company
        async with company.database.transaction(company.id) as session:
            rows = await session.connection.fetch(
                f"select id from {plural} where tenant_id = $1 and {where} order by id", company.id
            )
        return [str(x["id"]) for x in rows]

    def found(self, text: str, sent: str, *, of: tuple[str, ...] = KEPT) -> set[str]:
        """Marks and ids in an answer, but for what the request itself has told."""
        marks = {x.group() for x in MARKS.finditer(text)} if of == KEPT else set()
        ids = {x for plural in of for x in self.ids[plural] if x in text}
        return {x for x in marks | ids if x not in sent}

    async def ask(self, who: str, probe: Probe) -> tuple[int, set[str]]:
        answer = await self.office.ask(who, probe.method, probe.path, probe.json, accept=probe.accept)
        assert answer.status_code < 500, (probe, answer.text)
        return answer.status_code, self.found(answer.text, probe.sent)


@pytest_asyncio.fixture(scope="module")
async def kept(settings: Settings, database: Database, make_tenant: Any) -> AsyncIterator[Kept]:
    wide = {f"graphql_max_{name}": 1_000_000 for name in ("bytes", "tokens", "aliases", "fields", "cost")}
    transport = httpx.ASGITransport(create_app(settings.model_copy(update=wide), database))
    async with httpx.AsyncClient(transport=transport, base_url="http://attain", timeout=60) as client:
        office = await Office.opened(client, await make_tenant("Paid"))
        office.keys["foreign"] = await (await make_tenant("Another")).key()
        made = Kept(office)
        await _pay(made)
        yield made


async def _pay(made: Kept) -> None:
    office = made.office
    await office.key("nobody", "manager")
    own = {"code": "own", "kind": "commission", "rate": 0.1}
    await office.plan("common", own, {"code": "small", "kind": "bonus", "amount": 10})
    await office.plan(
        "Secret plan", {**own, "code": "Secret own"}, {"code": "Secret bonus", "kind": "bonus", "amount": AMOUNT},
        description="Secret terms",
    )  # fmt: skip
    for name in ("common", "Secret plan"):
        draft = {"external_id": f"draft of {name}", "plan_id": f"x:{name}", "effective_from": "2026-06-01"}
        await office.put("comp_plan_versions", {**draft, "components": [own], "note": "Secret draft"})
    await office.assign("Secret plan", "r1", target=AMOUNT, on_target_earnings=AMOUNT, variable_share=1)
    for rep in ("r2", "r3", "bea", "otto", "top"):
        await office.assign("common", rep)
    await office.assign("common", "r1", target=AMOUNT)
    # Its deal is everybody's: what it pays is not.
    await office.win(
        "deal", "r1", 1_000, team=[{"rep_id": "x:r2"}],
        splits=[{"rep_id": f"x:{x}", "share": 0.5} for x in ("r1", "r3")],
    )  # fmt: skip
    for name in ("2026-Q1", "2026-Q2"):
        await office.period(name)
    for verb in ("calculate", "approve", "close"):
        await office.act("ada", f"comp_periods/x:2026-Q1:{verb}")
    [payout] = await made.fetch("payouts", f"rep_id = '{office.ids['r1']}'")
    await office.act("ada", f"payouts/{payout}:pay", {"paid_on": "2026-03-31"})
    # A late change: an adjustment in the next quarter, which is disputed.
    await office.win("deal", "r1", 900)
    await office.act("ada", "comp_periods/x:2026-Q2:calculate")
    statement = (await office.statement("r1", "2026-Q2"))["id"]
    await office.act(
        "r1", f"statements/{statement}:dispute", {"reason": "Secret why"}, **{"Idempotency-Key": "k"}
    )
    for plural in KEPT[2:]:
        made.ids[plural] = await made.fetch(plural, f"rep_id = '{office.ids['r1']}'")
    made.ids["comp_plans"] = [office.ids["Secret plan"]]
    made.ids["comp_plan_versions"] = [office.ids["Secret plan-terms"], office.ids["draft of Secret plan"]]
    made.ids["drafts"] = [office.ids["draft of common"], office.ids["draft of Secret plan"]]


# -- the ways in ------------------------------------------------------------------------------------------------------


def ways(noun: Resource, depth: int) -> Iterator[tuple[str, ...]]:
    """Steps from a noun, along references and listings, that pass by pay or by terms."""
    steps = {
        **{x.name: x.target for x in noun.relations.values()},
        **{x.name: x.target for x in noun.listings},
    }
    for name, target in steps.items():
        if target in KEPT or noun.plural in KEPT:
            yield (name,)
        if depth > 1:
            yield from ((name, *rest) for rest in ways(CATALOGUE[target], depth - 1))


def expansions(noun: Resource, depth: int = 1) -> list[str]:
    return sorted({".".join(x) for x in ways(noun, depth)} | set(noun.children_by_name))


def lists(noun: Resource) -> Iterator[Probe]:
    """Of any noun that leads to what is kept; all of it at once, in every form."""
    whole = ",".join(expansions(noun))
    if not any(ways(noun, 2)):
        return
    path = f"/v1/{noun.plural}"
    shows = noun.plural in KEPT
    for accept in ("application/json", "application/x-ndjson", "text/csv"):
        query = f"?limit=200&expand={whole}" if accept != "text/csv" else "?limit=200"
        yield Probe(f"list {noun.plural} {accept}", "GET", path + query, None, accept, shows)
    yield Probe(f"deleted {noun.plural}", "GET", f"{path}?include=deleted,total&expand={whole}", shows=shows)
    yield Probe(f"sync {noun.plural}", "GET", f"{path}?changes_since=beginning", shows=False)
    for name in groupable(noun):
        yield Probe(f"groups {noun.plural}.{name}", "GET", f"{path}:grouped?group_by={name}", shows=shows)
    if noun.tracked:
        yield Probe(f"history {noun.plural}", "GET", f"{path}:history?recorded_since=2020-01-01", shows=shows)
        yield Probe(f"past {noun.plural}", "GET", f"{path}?as_of=2099-01-01", shows=False)
    inner = selection(noun, "admin", expansions(noun, 2))
    root = camel(noun.plural)
    text = f"{{ {root}(first: 200) {{ nodes {inner} totalCount }} }}"
    yield Probe(f"graph {noun.plural}", "POST", "/graphql", {"query": text}, shows=shows)
    for name in groupable(noun):
        few = selection(noun, "admin")
        text = f"{{ {root} {{ groups(by: {name.upper()}) {{ nodes {{ key label count nodes {few} }} }} }} }}"
        yield Probe(f"graph groups {noun.plural}.{name}", "POST", "/graphql", {"query": text}, shows=shows)


def orders(noun: Resource) -> Iterator[Probe]:
    names = [x.name for x in noun.all_fields if x.sortable] if noun.plural in KEPT else []
    for some in (names[i : i + 4] for i in range(0, len(names), 4)):
        sort = ",".join(f"-{x}" for x in some)
        yield Probe(f"sort {noun.plural} {sort}", "GET", f"/v1/{noun.plural}?limit=200&sort={sort}")


def questions(noun: Resource, ids: dict[str, list[str]]) -> Iterator[Probe]:
    """A condition on what is kept holds of nothing: neither rows nor their count answer it."""
    found = {(): noun, **{way: last(noun, way) for way in ways(noun, 1 if noun.plural in KEPT else 2)}}
    for way, target in found.items():
        if target.plural not in KEPT or (not way and noun.plural not in KEPT):
            continue
        money = [x.name for x in target.all_fields if x.kind == "money"][:1]
        trees: list[Any] = [{"id": {"in": ids[target.plural]}}, *({x: {"gte": 900_000}} for x in money)]
        for tree in trees:
            asked = tree
            for step in reversed(way):
                asked = {step: asked}
            yield Probe(
                f"filter {noun.plural} {asked}", "POST", f"/v1/{noun.plural}:query",
                {"filter": asked, "include": ["total"]},
            )  # fmt: skip


def last(noun: Resource, way: tuple[str, ...]) -> Resource:
    for step in way:
        found = behind(noun, step)
        assert isinstance(found, Resource)
        noun = found
    return noun


def singles(noun: Resource, id_: str) -> Iterator[Probe]:
    """By its id, as if it were not there."""
    path, absent = f"/v1/{noun.plural}/{id_}", (403, 404)
    whole = ",".join(expansions(noun))
    yield Probe(f"get {noun.plural}", "GET", f"{path}?expand={whole}", must=absent)
    yield Probe(f"deleted one {noun.plural}", "GET", f"{path}?include=deleted", shows=False, must=absent)
    if noun.tracked:
        yield Probe(f"history of one {noun.plural}", "GET", f"{path}/history", shows=False, must=absent)
        yield Probe(f"past of one {noun.plural}", "GET", f"{path}?as_of=2026-01-01", shows=False, must=absent)
    for name in ("node", camel(noun.name)):
        inner = "{ id __typename }" if name == "node" else selection(noun, "admin")
        text = f'{{ {name}(id: "{id_}") {inner} }}'
        yield Probe(f"graph {name} {noun.plural}", "POST", "/graphql", {"query": text}, shows=False)
    for target in CATALOGUE:
        for declared in target.fields:
            if declared.kind == "reference" and declared.target == noun.plural:
                name = declared.name
                yield Probe(
                    f"{target.plural} of {noun.plural} {name}", "GET", f"/v1/{target.plural}?{name}={id_}",
                    shows=False, must=absent,
                )  # fmt: skip


def writes(noun: Resource, id_: str) -> Iterator[Probe]:
    path, absent = f"/v1/{noun.plural}/{id_}", (403, 404)
    inputs = {"dispute": {"reason": "x"}, "resolve": {"resolution": "x"}}
    for action in noun.actions:
        yield Probe(f"{action.name} {noun.plural}", "POST", f"{path}:{action.name}", inputs.get(action.name, {}),
                    must=absent)  # fmt: skip
    if "update" in noun.operations:
        yield Probe(f"update {noun.plural}", "PATCH", path, {}, must=absent)
        yield Probe(f"delete {noun.plural}", "DELETE", path, must=absent)
        yield Probe(f"restore {noun.plural}", "POST", f"{path}:restore", must=absent)


def numbers() -> Iterator[Probe]:
    """By everything and of everything: what they add up, and the rows of it."""
    for metric in METRICS:
        money = metric.unit == "money"
        every = [d.name for d in metric.dimensions] if metric.name == "earnings" else ["rep"]
        for name in ("", *every):
            by = f"&by={name}" if name else ""
            asked = f"metric={metric.name}&period=2026-Q1{by}"
            yield Probe(
                f"{metric.name} by {name}", "GET", f"/v1/metrics/query?{asked}&totals=true", shows=money
            )
        path = f"/v1/metrics/{metric.name}/rows?period=2026-Q1&limit=200"
        yield Probe(f"rows of {metric.name}", "GET", path)
        yield Probe(f"rows of {metric.name} of r1", "GET", f"{path}&rep=x:r1")
        text = (
            f'{{ metrics(names: ["{metric.name}"], period: "2026-Q1", by: ["rep"]) {{ rows {{ value }} }} }}'
        )
        yield Probe(f"graph {metric.name}", "POST", "/graphql", {"query": text}, shows=money)


def events() -> Iterator[Probe]:
    yield Probe("events", "GET", "/v1/events?limit=1000")
    text = "{ events(first: 1000) { nodes { noun recordId type changed } } }"
    yield Probe("graph events", "POST", "/graphql", {"query": text})


def probes(ids: dict[str, list[str]]) -> Iterator[Probe]:
    for noun in CATALOGUE:
        yield from lists(noun)
        yield from orders(noun)
        yield from questions(noun, ids)
        if noun.plural in KEPT:
            for id_ in (ids[noun.plural][0], ids[noun.plural][-1]):
                yield from singles(noun, id_)
    yield from numbers()
    yield from events()


# -- what they find ---------------------------------------------------------------------------------------------------


def holds_rows(probe: Probe, text: str) -> bool:
    return probe.name.startswith("filter") and '"data":[{' in text


async def test_every_way_in_shows_something_to_whoever_may_see_it(kept: Kept, settled: Any) -> None:
    await settled()
    for probe in probes(kept.ids):
        answer = await kept.office.ask("ada", probe.method, probe.path, probe.json, accept=probe.accept)
        if probe.name.startswith("filter"):
            assert answer.status_code == 200, answer.text
            continue
        assert '"errors":[{"message"' not in answer.text, (probe, answer.text)
        found = kept.found(answer.text, probe.sent)
        assert found or not probe.shows, (probe, answer.text[:500])


@pytest.mark.parametrize("who", STRANGERS)
async def test_nothing_of_it_is_shown_to_others(kept: Kept, settled: Any, who: str) -> None:
    await settled()
    for probe in probes(kept.ids):
        answer = await kept.office.ask(who, probe.method, probe.path, probe.json, accept=probe.accept)
        assert answer.status_code < 500, (probe, answer.text)
        assert kept.found(answer.text, probe.sent) == set(), (probe, answer.text[:500])
        assert not holds_rows(probe, answer.text), (probe, answer.text[:500])
        if probe.must:
            assert answer.status_code in probe.must, (probe, answer.text[:500])


@pytest.mark.parametrize("who", STRANGERS)
async def test_nor_is_it_changed_by_them(kept: Kept, who: str) -> None:
    for noun in CATALOGUE:
        for id_ in kept.ids.get(noun.plural, ())[:1]:
            for probe in writes(noun, id_):
                status, found = await kept.ask(who, probe)
                assert (status in probe.must, found) == (True, set()), probe


@pytest.mark.parametrize("who", ["ann", "ina"])
async def test_who_sees_all_deals_sees_no_pay(kept: Kept, who: str) -> None:
    for plural in (*KEPT, "comp_periods"):
        assert await kept.office.refusal(who, "GET", f"/v1/{plural}") == (403, "forbidden"), plural
    for metric in METRICS:
        path = f"/v1/metrics/query?metric={metric.name}&period=2026"
        assert await kept.office.refusal(who, "GET", path) == (403, "forbidden"), metric.name


async def test_a_rep_and_those_above_see_it(kept: Kept) -> None:
    for who in ("r1", "bea", "top"):
        for plural in KEPT:
            answer = await kept.office.ask(who, "GET", f"/v1/{plural}?limit=200")
            shown = {x["id"] for x in answer.json()["data"]}
            expected = set(kept.ids[plural]) - set(kept.ids["drafts"])
            assert shown >= expected, (who, plural)


@pytest.mark.parametrize("who", [*STRANGERS, "r1", "bea", "top"])
async def test_a_draft_is_for_whoever_writes_it(kept: Kept, settled: Any, who: str) -> None:
    await settled()
    versions = CATALOGUE["comp_plan_versions"]
    found = [
        *lists(versions),
        *lists(CATALOGUE["comp_plans"]),
        *lists(CATALOGUE["statement_lines"]),
        *events(),
    ]
    for id_ in kept.ids["drafts"]:
        found += [*singles(versions, id_), *writes(versions, id_)]
    for probe in found:
        answer = await kept.office.ask(who, probe.method, probe.path, probe.json, accept=probe.accept)
        assert kept.found(answer.text, probe.sent, of=("drafts",)) == set(), probe
        assert "Secret draft" not in answer.text, probe
        if probe.must:
            assert answer.status_code in probe.must, (probe, answer.text[:300])


@pytest.mark.parametrize("metric", [x.name for x in METRICS])
async def test_no_board_hands_it_on(kept: Kept, metric: str) -> None:
    question = {"metrics": ["bookings", metric], "period": "2026-Q1", "by": ["rep"]}
    for who in ("ada", "bea"):
        for board in ({"for_everyone": True}, {"audience": [{"role": "rep"}]}, {}):
            answer = await kept.office.ask(
                who, "POST", "/v1/boards", {"name": "x", "question": question, **board}
            )
            assert answer.status_code == 422
            assert ("/question/metrics", "not_for_boards") in {
                (x["pointer"], x["code"]) for x in answer.json()["errors"]
            }


def test_what_is_told_of_pay_is_not_handed_on() -> None:
    """Whatever is reckoned from what is kept."""
    for metric in METRIC_CATALOGUE:
        if any(fact.noun in KEPT for fact in metric.facts):
            assert not metric.handed_on, metric.name


async def test_a_repeated_request_is_answered_to_its_sender(kept: Kept) -> None:
    office = kept.office
    statement = (await office.statement("r1", "2026-Q2"))["id"]
    path, key = f"/v1/statements/{statement}:dispute", {"Idempotency-Key": "k"}
    again = await office.ask("r1", "POST", path, {"reason": "Secret why"}, **key)
    assert (again.status_code, "Secret why" in again.text) == (200, True)
    for who in STRANGERS:
        answer = await office.ask(who, "POST", path, {"reason": "Secret why"}, **key)
        assert answer.status_code in (403, 404), who
        assert kept.found(answer.text, f"{path} Secret") == set()


async def test_a_file_holds_what_its_asker_sees(kept: Kept, settings: Settings) -> None:
    office = kept.office
    async with at_work(settings):
        for who in ("ada", "r2"):
            for plural in KEPT:
                begun = await office.must(who, "POST", "/v1/exports", {"noun": plural, "format": "ndjson"})
                path = f"/v1/operations/{begun['id']}"
                done = begun
                while done["state"] in ("pending", "running"):
                    done = await office.must(who, "GET", path)
                assert done["state"] == "succeeded", done
                text = (await office.client.get(done["result"]["url"])).text
                assert bool(kept.found(text, "")) == (who == "ada"), (who, plural)
                if who == "ada":
                    for other in ("r2", "r1", "bea", "foreign"):
                        assert (await office.ask(other, "GET", path)).status_code == 404
