"""`q=`: by the beginnings of words, with everything else that a list takes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.areas import CATALOGUE
from tests.faces.rest.conftest import Api, code

ACCOUNTS = "/v1/accounts"
WRITTEN = {
    "José": "jose", "Ärger": "arger", "Straße": "strasse", "ŁÓDŹ": "łodz", "O'Neill": "o neill", "Zoë": "zoe",
    "ＡＢＣ": "abc", "Zoo": "zoo", "Josephine": "josephine", "Arg": "arg", "42": "42", "北京": "北京", "ﬁne": "fine",
    "Strand": "strand", "a@b.eu": "a b eu",
}  # fmt: skip
"""Words as people write them, and as they are searched."""


async def found(api: Api, query: str, path: str = ACCOUNTS, **who: Any) -> list[str]:
    return [x["name"] for x in await api.data(f"{path}?{query}", **who)]


async def test_search_agrees_with_reading_every_name(empty: Api) -> None:
    dice = random.Random(11)
    names: dict[str, list[str]] = {}
    while len(names) < 150:
        picked = dice.choices(list(WRITTEN), k=dice.randint(1, 4))
        name = dice.choice([" ", ", ", "-", " / "]).join(picked)
        names[name] = [word for one in picked for word in WRITTEN[one].split()]
    await empty.upsert("accounts", [{"external_id": f"a{i}", "name": name} for i, name in enumerate(names)])
    every = sorted({word for words in names.values() for word in words})
    hits = 0
    for _ in range(60):
        asked = [
            (word := dice.choice(every))[: dice.randint(1, len(word))] for _ in range(dice.randint(1, 3))
        ]
        expected = {n for n, ws in names.items() if all(any(w.startswith(a) for w in ws) for a in asked)}
        written = dice.choice([" ".join(asked), " ".join(asked).upper(), ", ".join(asked)])
        response = await empty.client.get(
            ACCOUNTS, params={"q": written, "limit": 200, "include": "total"},
            headers={"authorization": f"Bearer {await empty.company.key()}"},
        )  # fmt: skip
        assert response.status_code == 200, response.text
        body = response.json()
        assert {x["name"] for x in body["data"]} == expected, written
        assert body["total"] == len(expected)
        hits += bool(expected)
    assert hits > 30


async def test_with_all_else_that_a_list_takes(api: Api) -> None:
    deals = "/v1/opportunities"
    assert await found(api, "q=deal&sort=-amount&amount[gte]=500&limit=2", deals) == ["Deal 9", "Deal 8"]
    assert await found(api, "q=dea 7", deals) == ["Deal 7"]
    assert await found(api, "q=eal", deals) == []
    first = (await api.get(f"{deals}?q=deal&sort=name&limit=5")).json()
    rest = await api.get(f"{deals}?q=deal&sort=name&limit=5&cursor={first['next_cursor']}")
    assert [x["name"] for x in first["data"] + rest.json()["data"]] == [f"Deal {i}" for i in range(1, 10)]
    # A cursor goes on in the same search, whichever way that is written, and in no other.
    same = await api.get(f"{deals}?q=DEAL%20de&sort=name&limit=5&cursor={first['next_cursor']}")
    assert same.json()["data"] == rest.json()["data"]
    other = await api.get(f"{deals}?q=dea&sort=name&limit=5&cursor={first['next_cursor']}")
    assert code(other) == (400, "bad_cursor")
    await api.delete(f"{deals}/crm:d3")
    assert await found(api, "q=3", deals) == []
    assert await found(api, "q=3&include=deleted", deals) == ["Deal 3"]
    csv = await api.get(f"{deals}?q=deal%208&columns=name", headers={"accept": "text/csv"})
    assert csv.text.splitlines() == ["name", "Deal 8"]
    body = {"q": "deal", "filter": {"or": [{"amount": {"lt": 200}}, {"name": "Deal 9"}]}, "sort": ["name"]}
    queried = await api.post(f"{deals}:query", body)
    assert [x["name"] for x in queried.json()["data"]] == ["Deal 1", "Deal 9"]
    board = await api.get(f"{deals}:grouped?group_by=stage_id&q=deal%204")
    assert [x["count"] for x in board.json()["groups"]] == [1, 0, 0, 0]
    assert await found(api, "q=otto", "/v1/reps") == ["Otto Other"]


async def test_a_rename_is_found_at_once(api: Api) -> None:
    await api.patch(f"{ACCOUNTS}/crm:acme", {"name": "Zenith"})
    assert await found(api, "q=acme") == []
    assert await found(api, "q=zen") == ["Zenith"]


async def test_a_copy_follows_a_search(api: Api) -> None:
    begun = (await api.get(f"{ACCOUNTS}?q=acme&changes_since=beginning")).json()
    assert [x["name"] for x in begun["data"]] == ["Acme"]


async def test_a_search_finds_what_its_reader_sees(api: Api) -> None:
    mine = await found(api, "q=deal&sort=name", "/v1/opportunities", role="rep", rep="r1")
    assert mine == ["Deal 3", "Deal 6", "Deal 9"]
    assert await found(api, "q=deal&limit=1", "/v1/opportunities", role="rep") == []


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("/v1/accounts?q=", 422, "no_words"),
        ("/v1/accounts?q=...", 422, "no_words"),
        ("/v1/accounts?q=a1 b2 c3 d4 e5 f6 g7 h8 i9", 422, "too_many_words"),
        (f"/v1/accounts?q={'x' * 201}", 422, "too_long"),
        ("/v1/accounts?q=a&q=b", 422, "repeated"),
        ("/v1/accounts?q=a&as_of=2026-01-01", 422, "not_in_the_past"),
        ("/v1/stages?q=open", 422, "unknown_parameter"),
    ],
)
async def test_what_a_search_refuses(api: Api, query: str, status: int, name: str) -> None:
    response = await api.get(query)
    assert code(response) == (status, name), response.text
    assert response.json()["errors"][0]["pointer"] == "?q"


async def test_refusals_of_a_body(api: Api) -> None:
    for noun, body, name in (
        ("accounts", {"q": "!"}, "no_words"),
        ("accounts", {"q": "a", "as_of": "2026-01-01"}, "not_in_the_past"),
        ("accounts", {"q": "x" * 201}, "too_long"),
        ("stages", {"q": "open"}, "unknown_field"),
    ):
        response = await api.post(f"/v1/{noun}:query", body)
        assert response.status_code == 422, response.text
        error = response.json()["errors"][0]
        assert (error["code"], error["pointer"]) == (name, "/q")


async def test_the_contract_names_it_where_it_is(empty: Api) -> None:
    document = (await empty.get("/openapi.json")).json()
    for noun in CATALOGUE:
        parameters = document["paths"][f"/v1/{noun.plural}"]["get"]["parameters"]
        assert ("q" in {x.get("name") for x in parameters}) == bool(noun.search), noun.plural
