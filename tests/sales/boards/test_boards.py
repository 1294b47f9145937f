"""Boards: who is given the numbers, with whose view, and that nobody learns more by them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.areas import CATALOGUE
from app.ground.access.again import again
from app.ground.errors import AttainError
from app.language.resources import write
from tests.sales.boards.conftest import LEADERBOARD, MANAGERS, ROLES, TEAMS, TERRITORIES, WON, House, above

TOTAL = {"metrics": ["bookings"], "period": "2026-Q1"}
ALL = sum(WON.values())
BELOW_BEA = WON["bea"] + WON["r1"] + WON["r2"]


# --- for whom ---------------------------------------------------------------------------------------------------------


def readers(audience: list[dict[str, str]], *, everyone: bool, publisher: str) -> set[str]:
    """Row by row and person by person, from the words of the contract."""
    found = {who for who, role in ROLES.items() if role in ("admin", "analyst", "integration")}
    found |= above(publisher)
    for who, role in ROLES.items():
        below = {rep for rep in MANAGERS if who in above(rep)}
        for row in audience:
            [(way, value)] = row.items()
            if way == "role" and role == value:
                found.add(who)
            if way == "rep_id" and value in below:
                found.add(who)
            if way == "team_id" and any(TEAMS.get(rep) == value for rep in below):
                found.add(who)
            if way == "territory_id" and any(TERRITORIES.get(rep) == value for rep in below):
                found.add(who)
        if everyone:
            found.add(who)
    return found


ROWS = [
    *({"role": role} for role in ("rep", "manager")), {"team_id": "east"}, {"team_id": "west"},
    {"territory_id": "north"}, {"territory_id": "south"}, {"rep_id": "r1"}, {"rep_id": "r3"}, {"rep_id": "lone"},
]  # fmt: skip
AUDIENCES: list[tuple[list[dict[str, str]], bool]] = [
    ([], False), ([], True), *(([row], False) for row in ROWS),
    *((random.Random(seed).sample(ROWS, 3), False) for seed in range(3)),
]  # fmt: skip


async def test_who_is_given_the_numbers(house: House) -> None:
    for audience, everyone in AUDIENCES:
        rows = [
            {way: value if way == "role" else f"x:{value}" for way, value in row.items()} for row in audience
        ]
        board = await house.published("bea", TOTAL, audience=rows, for_everyone=everyone)
        expected = readers(audience, everyone=everyone, publisher="bea")
        for who in ROLES:
            where = f"{who}: {audience} {everyone}"
            seen = who in expected
            for path in (f"/v1/boards/{board}", f"/v1/boards/{board}/numbers"):
                response = await house.ask(who, "GET", path)
                assert response.status_code == (200 if seen else 404), where
            if seen:
                [row] = response.json()["data"]
                assert row["value"] == BELOW_BEA, where
            listed = (await house.must(who, "GET", "/v1/boards?limit=200"))["data"]
            assert (board in [x["id"] for x in listed]) == seen, where
            told = await house.graph(
                who, "query ($id: ID!) { boardNumbers(id: $id) { rows { value } } }", id=board
            )
            assert ("errors" not in told) == seen, where


async def test_a_draft_is_its_makers(house: House) -> None:
    board = await house.draft("bea", for_everyone=True)
    for who in ROLES:
        seen = who in above("bea") or ROLES[who] in ("admin", "analyst", "integration")
        assert (await house.ask(who, "GET", f"/v1/boards/{board}")).status_code == (200 if seen else 404), who
        refused = await house.refusal(who, "GET", f"/v1/boards/{board}/numbers")
        assert refused == ((409, "not_published") if seen else (404, "not_found")), who
    await house.must("bea", "POST", f"/v1/boards/{board}:publish")
    await house.numbers("lone", board)
    withdrawn = await house.must("bea", "POST", f"/v1/boards/{board}:withdraw")
    assert (withdrawn["state"], withdrawn["published_by"], withdrawn["published_at"]) == ("draft", None, None)
    assert (await house.refusal("lone", "GET", f"/v1/boards/{board}/numbers"))[0] == 404


async def test_an_admins_board_is_not_shown_to_those_above_the_admin(house: House) -> None:
    await house.user("ada", rep_id="x:r1")
    board = await house.draft("ada", TOTAL)
    for path in (f"/v1/boards/{board}:publish", f"/v1/boards/{board}:withdraw"):
        await house.must("ada", "POST", path)
        for who in ("bea", "top", "r1"):
            assert (await house.refusal(who, "GET", f"/v1/boards/{board}"))[0] == 404, who


async def test_a_copy_follows_what_is_published(house: House) -> None:
    board = await house.draft("bea", TOTAL, audience=[{"team_id": "x:east"}])

    async def changes(cursor: str) -> tuple[str, list[str], list[str]]:
        for _ in range(200):
            page = await house.must("r1", "GET", f"/v1/boards?changes_since={cursor}")
            found = [[x["id"] for x in page[part]] for part in ("data", "tombstones")]
            if any(found):
                return page["next_cursor"], found[0], found[1]
            # Only what is settled is told, and another test's transaction may be older than ours.
            cursor = page["next_cursor"]
            await asyncio.sleep(0.05)
        raise AssertionError("nothing was told")

    cursor = (await house.must("r1", "GET", "/v1/boards?changes_since=now"))["next_cursor"]
    await house.must("bea", "POST", f"/v1/boards/{board}:publish")
    cursor, rows, gone = await changes(cursor)
    assert (rows, gone) == ([board], [])
    await house.must("bea", "POST", f"/v1/boards/{board}:withdraw")
    _, rows, gone = await changes(cursor)
    assert (rows, gone) == ([], [board])


async def test_the_verbs_of_graphql(house: House) -> None:
    board = await house.draft("bea", TOTAL, for_everyone=True)
    document = "mutation ($id: ID!) { publishBoard(id: $id) { outcome board { state publishedBy } } }"
    assert (await house.graph("bea", document, id=board))["data"]["publishBoard"] == {
        "outcome": "UPDATED", "board": {"state": "PUBLISHED", "publishedBy": "Bea User"},
    }  # fmt: skip
    document = """mutation ($question: JSON!) {
        createBoard(input: {name: "b", question: $question}) { board { id question } }
    }"""
    made = (await house.graph("bea", document, question=LEADERBOARD))["data"]["createBoard"]["board"]
    assert made["question"] == LEADERBOARD
    refused = await house.graph("bea", document, question=TOTAL | {"by": ["account"]})
    [error] = refused["errors"][0]["extensions"]["errors"]
    assert (error["pointer"], error["code"]) == ("/question/by", "record_dimension")


async def test_who_leaves_the_team_leaves_the_audience(house: House) -> None:
    board = await house.published("bea", audience=[{"team_id": "x:west"}])
    await house.numbers("r2", board)
    await house.must("ada", "PATCH", "/v1/reps/x:r2", {"team_id": "x:east"})
    assert (await house.refusal("r2", "GET", f"/v1/boards/{board}/numbers"))[0] == 404


# --- with whose view --------------------------------------------------------------------------------------------------


async def test_it_is_the_publishers_number(house: House) -> None:
    questions: list[dict[str, Any]] = [
        LEADERBOARD,
        TOTAL | {"grain": "month", "compare": "previous", "totals": True},
        LEADERBOARD | {"shape": "wide", "limit": 2},
        {
            "metrics": ["won_deals"],
            "period": "2026",
            "by": ["manager", "currency"],
            "filters": {"manager": ["me"]},
        },
    ]
    for question in questions:
        for publisher in ("bea", "top", "otto"):
            own = await house.must(publisher, "POST", "/v1/metrics:query", question)
            board = await house.published(publisher, question, for_everyone=True)
            for reader in ("r1", "lone", "ann", publisher):
                given = await house.numbers(reader, board)
                assert given["data"] == own["data"], (publisher, reader)
                assert given["as_seen_by"] == {
                    "name": f"{publisher.title()} User", "role": "manager",
                    "rep": {"id": house.ids[publisher], "name": publisher.title()},
                }  # fmt: skip
    as_admin = await house.numbers("r1", await house.published("ada", TOTAL, for_everyone=True))
    assert [row["value"] for row in as_admin["data"]] == [ALL]
    assert as_admin["as_seen_by"] == {"name": "Ada User", "role": "admin", "rep": None}


async def test_tables_and_graphql_tell_the_same(house: House) -> None:
    board = await house.published("bea", LEADERBOARD | {"shape": "wide"}, for_everyone=True)
    given = await house.numbers("r1", board)
    assert [row["rank"] for row in given["data"]] == [1, 2, 3]
    text = (await house.must("r1", "GET", f"/v1/boards/{board}/numbers", accept="text/csv")).text
    lines = list(csv.DictReader(io.StringIO(text)))
    told = [(x["rep_name"], x["bookings"], x["won_deals"], x["as_seen_by"]) for x in lines]
    assert told == [
        ("R2", "100", "1", "Bea User"),
        ("R1", "10", "1", "Bea User"),
        ("Bea", "1", "1", "Bea User"),
    ]
    text = (await house.must("r1", "GET", f"/v1/boards/{board}/numbers", accept="application/x-ndjson")).text
    assert [json.loads(x)["bookings"] for x in text.splitlines()] == [100, 10, 1]
    document = """query ($id: ID!) { boardNumbers(id: $id) {
        rows { metric value rank dimensions } meta { period } asSeenBy { name role rep { id name } }
    } }"""
    found = (await house.graph("r1", document, id=board))["data"]["boardNumbers"]
    assert [x["value"] for x in found["rows"] if x["metric"] == "bookings"] == [100, 10, 1], (
        "long, since it is typed"
    )
    assert found["asSeenBy"] == given["as_seen_by"]


async def test_the_view_is_that_of_the_time_of_asking(house: House) -> None:
    board = await house.published("bea", TOTAL, for_everyone=True)

    async def value() -> Any:
        return [row["value"] for row in (await house.numbers("lone", board))["data"]]

    assert await value() == [BELOW_BEA]
    await house.must("ada", "PATCH", "/v1/reps/x:r3", {"manager_id": "x:bea"})
    assert await value() == [BELOW_BEA + WON["r3"]]
    await house.user("bea", rep_id="x:otto")
    assert await value() == [WON["otto"]]
    past = await house.published("bea", TOTAL | {"as_of": "2026-06-30"}, for_everyone=True)
    own = await house.must("bea", "POST", "/v1/metrics:query", TOTAL | {"as_of": "2026-06-30"})
    assert (await house.numbers("r1", past))["data"] == own["data"], "who may look is a matter of today"


# --- who is no longer who they were -----------------------------------------------------------------------------------


async def test_without_its_publisher_a_board_says_so_and_gives_nothing(house: House) -> None:
    board = await house.published("bea", for_everyone=True)
    for change, back in (
        ({"active": False}, {"active": True}),
        ({"role": "rep"}, {"role": "manager"}),
        ({"role": "analyst"}, {"role": "manager"}),
    ):
        await house.user("bea", **change)
        for who in ("r1", "ada"):
            response = await house.ask(who, "GET", f"/v1/boards/{board}/numbers")
            assert (response.status_code, response.json()["code"]) == (409, "publisher_gone"), change
            assert "data" not in response.json()
            told = await house.graph(
                who, "query ($id: ID!) { boardNumbers(id: $id) { rows { value } } }", id=board
            )
            assert told["errors"][0]["extensions"]["code"] == "publisher_gone"
        await house.user("bea", **back)
        await house.numbers("r1", board)
    await house.must("ada", "DELETE", "/v1/users/x:user-bea")
    assert await house.refusal("r1", "GET", f"/v1/boards/{board}/numbers") == (409, "publisher_gone")
    await house.must("top", "POST", f"/v1/boards/{board}:publish")
    taken = await house.numbers("r1", board)
    assert taken["as_seen_by"]["name"] == "Top User", "whoever stands above takes it over"


async def test_the_key_of_nobody_publishes_as_long_as_it_stands(house: House) -> None:
    key = await house.key("wall", "manager", "bea")
    board = await house.published("wall", TOTAL, for_everyone=True)
    given = await house.numbers("r1", board)
    assert given["as_seen_by"]["name"] == "wall"
    assert [row["value"] for row in given["data"]] == [BELOW_BEA]
    await house.must("ada", "POST", f"/v1/api_keys/{key}:revoke")
    assert await house.refusal("r1", "GET", f"/v1/boards/{board}/numbers") == (409, "publisher_gone")


async def test_as_they_would_come_in_now(house: House) -> None:
    tenant = house.company.tenant
    user = UUID(house.ids["user-bea"])
    of_bea = await house.key("of bea", "admin", user_id=user)
    nobodys = await house.key("nobody's", "manager", "otto", scopes=["boards:write"])
    async with house.company.database.transaction(tenant.id) as session:
        found = await again(session, tenant, user, None)
        assert found is not None
        assert (found.role, str(found.rep_id), found.name) == ("manager", house.ids["bea"], "Bea User")
        key = await again(session, tenant, None, nobodys)
        assert key is not None
        assert (key.role, str(key.rep_id), key.scopes) == ("manager", house.ids["otto"], {"boards:write"})
        assert await again(session, tenant, None, of_bea) is None, "a person's key is that person"
        assert await again(session, tenant, None, None) is None


# --- nobody publishes what another one sees ---------------------------------------------------------------------------


async def test_what_is_published_is_not_changed_under_its_publishers_name(house: House) -> None:
    board = await house.published("bea", TOTAL, audience=[{"role": "manager"}])
    path = f"/v1/boards/{board}"
    for change in (
        {"question": LEADERBOARD}, {"for_everyone": True}, {"audience": [{"role": "rep"}]},
        {"audience_merge": [{"role": "rep"}]}, {"audience": []},
    ):  # fmt: skip
        for who in ("ada", "top"):
            assert await house.refusal(who, "PATCH", path, change) == (409, "not_publisher"), change
        assert await house.refusal("otto", "PATCH", path, change) == (403, "not_yours"), (
            "whom it is only shown to"
        )
        assert (await house.refusal("r1", "PATCH", path, change))[0] == 403
        assert (await house.refusal("ann", "PATCH", path, change))[0] == 403
    for verb in (":publish", ":withdraw"):
        assert await house.refusal("otto", "POST", f"{path}{verb}") == (403, "not_yours"), verb
    assert await house.refusal("otto", "DELETE", path) == (403, "not_yours")
    assert await house.refusal("otto", "PATCH", path, {"name": "Mine"}) == (403, "not_yours")
    assert (await house.must("top", "PATCH", path, {"name": "Ours"}))["name"] == "Ours"
    assert (await house.must("bea", "PATCH", path, {"for_everyone": True}))["state"] == "published"
    given = await house.numbers("lone", board)
    assert given["as_seen_by"]["name"] == "Bea User"
    await house.must("ada", "POST", f"{path}:withdraw")
    await house.must("ada", "PATCH", path, {"question": LEADERBOARD})
    assert (await house.must("ada", "POST", f"{path}:publish"))["published_by"] == "Ada User"
    assert (
        sum(x["value"] for x in (await house.numbers("lone", board))["data"] if x["metric"] == "bookings")
        == ALL
    )


async def test_nor_by_rows_of_a_source(house: House) -> None:
    row = {"external_id": "b", "name": "Board", "question": TOTAL, "audience": [{"role": "manager"}]}

    async def outcome(who: str, **more: Any) -> tuple[str, str | None]:
        sent = {"source": "x", "rows": [row | more]}
        [told] = (await house.must(who, "POST", "/v1/boards:upsert", sent))["rows"]
        return told["outcome"], told["error"] and told["error"]["code"]

    assert await outcome("bea") == ("created", None)
    published = await house.must("bea", "POST", "/v1/boards/x:b:publish")
    assert await outcome("top") == ("unchanged", None)
    assert await outcome("top", question=LEADERBOARD) == ("failed", "not_publisher")
    assert await outcome("top", audience=[]) == ("failed", "not_publisher")
    past = [{"at": "2026-01-01", "for_everyone": True}]
    assert await outcome("top", history=past) == ("failed", "unknown_field"), "the past is what was done here"
    assert await outcome("otto", name="Mine") == ("failed", "not_yours")
    assert await outcome("otto", deleted=True) == ("failed", "not_yours")
    assert await house.must("bea", "GET", "/v1/boards/x:b") == published
    assert await outcome("bea", question=LEADERBOARD) == ("updated", None)
    await house.must("bea", "DELETE", "/v1/boards/x:b")
    assert await house.refusal("otto", "POST", "/v1/boards/x:b:restore") == (403, "not_yours")


async def test_who_cannot_publish(house: House) -> None:
    assert (await house.refusal("r1", "POST", "/v1/boards", {"name": "x", "question": TOTAL}))[0] == 403
    assert (await house.refusal("ina", "POST", "/v1/boards", {"name": "x", "question": TOTAL}))[0] == 403
    await house.key("narrow", "admin", scopes=["boards:write"])
    assert (await house.refusal("narrow", "POST", "/v1/boards", {"name": "x", "question": TOTAL}))[0] == 403
    board = await house.draft("ada", TOTAL)
    assert await house.refusal("narrow", "POST", f"/v1/boards/{board}:publish") == (403, "forbidden")
    published = await house.published("ada", TOTAL)
    await house.key("screen", "rep", scopes=["boards:read"])
    assert (await house.refusal("screen", "GET", f"/v1/boards/{published}/numbers"))[0] == 404
    everyone = await house.published("ada", TOTAL, for_everyone=True)
    assert [x["value"] for x in (await house.numbers("screen", everyone))["data"]] == [ALL]
    assert (await house.refusal("screen", "GET", "/v1/metrics/query?metric=bookings&period=2026"))[0] == 403


async def test_a_view_that_a_token_alone_says_is_not_published(house: House) -> None:
    board = await house.draft("bea", TOTAL)
    tenant = house.company.tenant
    user, rep = UUID(house.ids["user-bea"]), UUID(house.ids["bea"])
    known = replace(house.company.principal("manager", rep), user_id=user)
    others = {
        "no_publisher": house.company.principal("manager", rep),
        "other_view": replace(known, role="admin"),
        "view of another rep": replace(known, rep_id=UUID(house.ids["top"])),
    }
    noun = CATALOGUE["boards"]
    for code, principal in others.items():
        with pytest.raises(AttainError) as refused:
            async with house.company.database.transaction(tenant.id) as session:
                await write.act(
                    session, principal, CATALOGUE, noun, noun.actions_by_name["publish"], board, {}
                )
        assert refused.value.code in (code, "other_view")
    async with house.company.database.transaction(tenant.id) as session:
        receipt = await write.act(session, known, CATALOGUE, noun, noun.actions_by_name["publish"], board, {})
    assert receipt.outcome == "updated"


# --- what is not told -------------------------------------------------------------------------------------------------


async def test_there_is_no_way_down_to_the_rows(house: House) -> None:
    board = await house.published("ada", LEADERBOARD, for_everyone=True)
    for path in (
        f"/v1/boards/{board}/rows", f"/v1/boards/{board}/numbers/rows", f"/v1/boards/{board}/bookings/rows",
        f"/v1/boards/{board}/bridge", f"/v1/boards/{board}:explain",
    ):  # fmt: skip
        assert (await house.ask("r1", "GET", path)).status_code in (404, 405), path
    for name in ("period", "by", "as_of", "grain", "account", "metric", "cursor", "limit", "shape"):
        refused = await house.refusal("r1", "GET", f"/v1/boards/{board}/numbers?{name}=2026")
        assert refused == (422, "unknown_parameter"), name
    secrets = ["Secret", *(house.ids[x] for x in house.ids if x.startswith("deal-") or x == "secret")]
    for form in ("application/json", "text/csv", "application/x-ndjson"):
        text = (await house.ask("r1", "GET", f"/v1/boards/{board}/numbers", accept=form)).text
        assert not [x for x in secrets if x in text]
    rows = (await house.must("r1", "GET", "/v1/metrics/bookings/rows?period=2026-Q1"))["data"]
    assert [x["label"] for x in rows] == ["Secret Deal of r1"], "what one may ask for oneself stays as it is"


@pytest.mark.parametrize(
    ("question", "pointer", "code"),
    [
        (TOTAL | {"by": ["account"]}, "/question/by", "record_dimension"),
        (TOTAL | {"by": ["rep", "account"]}, "/question/by", "record_dimension"),
        (TOTAL | {"filters": {"account": ["x:secret"]}}, "/question/filters/account", "record_dimension"),
        (
            {"metrics": ["activities"], "period": "2026", "by": ["opportunity"]},
            "/question/by",
            "record_dimension",
        ),
        ({"metrics": ["bokings"], "period": "2026"}, "/question/metrics", "unknown_metric"),
        ({"metrics": ["bookings"]}, "/question/period", "period_required"),
        (TOTAL | {"period": "soon"}, "/question/period", "unknown_period"),
        (TOTAL | {"period": 2026}, "/question/period", "type"),
        (TOTAL | {"by": ["repp"]}, "/question/by", "unknown_dimension"),
        (TOTAL | {"filters": {"team": ["Est"]}}, "/question/filters/team", "unknown_reference"),
        (TOTAL | {"sort": "-won_deals"}, "/question/sort", "unknown_sort"),
        (TOTAL | {"compare": "1066"}, "/question/compare", "unknown_period"),
        (TOTAL | {"period": "1900", "compare": "previous"}, "/question/compare", "outside_calendar"),
        (TOTAL | {"periods": "2026"}, "/question/periods", "unknown_field"),
        (TOTAL | {"filters": {"currency": ["\x00"]}}, "/question/filters/currency/0", "bad_character"),
        (TOTAL | {"filters": {"currency": ["x" * 9_999]}}, "/question", "too_long"),
        ({"queries": [TOTAL]}, "/question/queries", "unknown_field"),
    ],
)
async def test_questions_that_are_refused(house: House, question: Any, pointer: str, code: str) -> None:
    response = await house.ask("bea", "POST", "/v1/boards", {"name": "x", "question": question})
    errors = response.json()["errors"]
    assert [(x["pointer"], x["code"]) for x in errors] == [(pointer, code)], response.text
    board = await house.published("bea")
    response = await house.ask("bea", "PATCH", f"/v1/boards/{board}", {"question": question})
    assert response.json()["errors"] == errors
    assert (await house.must("bea", "GET", f"/v1/boards/{board}"))["question"] == LEADERBOARD


async def test_a_number_for_some_roles_is_published_to_these_only(house: House) -> None:
    margin = {"metrics": ["bookings", "gross_margin"], "period": "2026"}
    for audience, everyone, pointers in (
        ([], True, ["/for_everyone"]),
        ([{"role": "manager"}, {"role": "rep"}], False, ["/audience/1"]),
        ([{"team_id": "x:east"}], False, ["/audience/0"]),
        ([{"territory_id": "x:north"}], False, ["/audience/0"]),
        ([{"rep_id": "x:otto"}], False, ["/audience/0"]),
    ):
        body = {"name": "x", "question": margin, "audience": audience, "for_everyone": everyone}
        response = await house.ask("bea", "POST", "/v1/boards", body)
        told = [(x["pointer"], x["code"]) for x in response.json()["errors"]]
        assert told == [(pointer, "not_for_them") for pointer in pointers]
    board = await house.published("bea", margin, audience=[{"role": "manager"}])
    await house.numbers("otto", board)
    for change in ({"audience_merge": [{"role": "rep"}]}, {"for_everyone": True}):
        assert (await house.refusal("bea", "PATCH", f"/v1/boards/{board}", change))[0] == 422, change
    plain = await house.published("bea", TOTAL, for_everyone=True)
    assert (await house.refusal("bea", "PATCH", f"/v1/boards/{plain}", {"question": margin}))[0] == 422
    await house.user("top", role="rep")
    assert await house.refusal("top", "GET", f"/v1/boards/{board}/numbers") == (403, "forbidden")


async def test_each_row_of_an_audience_names_one(house: House) -> None:
    for row in ({}, {"role": "rep", "team_id": "x:east"}):
        body = {"name": "x", "question": TOTAL, "audience": [{"role": "rep"}, row]}
        response = await house.ask("bea", "POST", "/v1/boards", body)
        assert [(x["pointer"], x["code"]) for x in response.json()["errors"]] == [
            ("/audience/1", "one_of_them")
        ]


async def test_a_question_that_no_longer_holds(house: House) -> None:
    board = await house.published("bea", TOTAL | {"filters": {"team": ["East"]}}, for_everyone=True)
    assert [x["value"] for x in (await house.numbers("lone", board))["data"]] == [WON["r1"]]
    await house.must("ada", "PATCH", "/v1/teams/x:east", {"name": "Orient"})
    response = await house.ask("lone", "GET", f"/v1/boards/{board}/numbers")
    assert (response.status_code, response.json()["code"]) == (409, "unanswerable")
    assert "East" in response.json()["detail"]
    await house.must("bea", "POST", f"/v1/boards/{board}:withdraw")


async def test_to_publish_twice_changes_nothing(house: House) -> None:
    board = await house.published("bea")
    first = await house.must("bea", "GET", f"/v1/boards/{board}")
    assert await house.must("bea", "POST", f"/v1/boards/{board}:publish") == first
    assert (first["published_by"], first["publisher_id"]) == ("Bea User", house.ids["bea"])
    deleted = await house.ask("bea", "DELETE", f"/v1/boards/{board}")
    assert deleted.status_code == 200
    assert (await house.refusal("bea", "GET", f"/v1/boards/{board}/numbers"))[0] == 404
    assert (await house.must("bea", "POST", f"/v1/boards/{board}:restore"))["state"] == "published"
