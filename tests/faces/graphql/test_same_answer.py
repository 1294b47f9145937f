"""Random documents: what the compiled path answers is what the ordinary executor answers, to the last digit and in
the same order. `ATTAIN_TEST_SELECTIONS` says how many of them; `make fuzz` draws 5,000."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest_asyncio
from graphql import build_schema, parse, validate

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.schema import sdl
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app
from tests.faces.graphql.conftest import Api
from tests.faces.graphql.reference import Reference, exact
from tests.faces.graphql.rows import upsert
from tests.faces.graphql.selections import Document, World

SELECTIONS = int(os.environ.get("ATTAIN_TEST_SELECTIONS", "100"))
FIRST = int(os.environ.get("ATTAIN_TEST_FIRST_SELECTION", "0"))
ROLES = (("admin", None), ("manager", "boss"), ("rep", "r1"), ("rep", "other"), ("analyst", None))
WIDE: dict[str, Any] = {
    f"graphql_max_{name}": 1_000_000
    for name in ("bytes", "tokens", "depth", "aliases", "directives", "fields", "cost")
}
# The ordinary executor fetches what it can at the same time.
WIDE |= {"principal_cache_seconds": 3600, "tenant_requests_at_once": 1_000, "requests_at_once": 1_000}
WIDE |= {"rate_limit": 10_000_000}


@pytest_asyncio.fixture
async def service(api: Api, database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Also with deals through which nobody, or somebody by a share or a team, sees their accounts."""
    accounts = [{"externalId": x, "name": x.title(), "ownerId": "crm:other"} for x in ("initech", "umbrella")]
    await upsert(api, "accounts", accounts)
    await upsert(
        api,
        "opportunities",
        [
            {"externalId": "gone", "name": "Gone", "accountId": "crm:initech", "ownerId": "crm:r1"},
            {
                "externalId": "shared", "name": "Shared", "accountId": "crm:umbrella", "ownerId": "crm:other",
                "splits": [
                    {"repId": "crm:other", "share": 0.5}, {"repId": "crm:r1", "share": 0.5},
                ],
                "team": [{"repId": "crm:r2", "role": "Engineer"}],
            },
        ],
    )  # fmt: skip
    call = {"externalId": "late", "subject": "Late", "kind": "CALL", "ownerId": "crm:r1"}
    await upsert(api, "activities", [{**call, "opportunityId": "crm:gone", "accountId": "crm:initech"}])
    gone = (await api.data('{ opportunity(id: "crm:gone") { id } }'))["opportunity"]["id"]
    await api.data("mutation ($id: ID!) { deleteOpportunity(id: $id) { outcome } }", {"id": gone})
    transport = httpx.ASGITransport(create_app(settings.model_copy(update=WIDE), database))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        yield client


async def ids_of(client: httpx.AsyncClient, key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for resource in CATALOGUE:
        if {"list", "get"} <= resource.operations:
            answer = await client.get(
                f"/v1/{resource.plural}?limit=200", headers={"authorization": f"Bearer {key}"}
            )
            found[resource.plural] = [x["id"] for x in answer.json()["data"]]
    return found


def demand_same(ours: Any, theirs: Any, at: str = "") -> None:
    """Also the order of the fields, and the digits of the numbers."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert list(ours) == list(theirs), at
        for name in ours:
            demand_same(ours[name], theirs[name], f"{at}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs), at
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            demand_same(*pair, f"{at}/{index}")
    else:
        assert (type(ours), ours) == (type(theirs), theirs), at


async def test_the_compiled_path_answers_as_the_ordinary_executor(
    service: httpx.AsyncClient, api: Api
) -> None:
    admin = await api.company.key()
    world = World(build_schema(sdl(CATALOGUE, METRIC_CATALOGUE)), CATALOGUE, await ids_of(service, admin))
    references = {}
    for role, rep in ROLES:
        key = await api.company.key(role, api.reps.get(rep or ""))
        references[role, rep] = Reference(world, service, key, admin)
    values = refusals = 0
    for number in range(FIRST, FIRST + SELECTIONS):
        role, rep = ROLES[number % len(ROLES)]
        draw = Document(world, api.company.principal(role), random.Random(number))
        text = draw.write()
        assert not validate(world.schema, parse(text)), f"{number}: {text}"
        reference = references[role, rep]
        response = await service.post(
            "/graphql",
            content=orjson.dumps({"query": text, "variables": draw.variables}),
            headers={"authorization": f"Bearer {reference.key}", "content-type": "application/json"},
        )
        answer = exact(response.content)
        told = f"{number} as {role} {rep}: {text} {draw.variables}"
        assert "data" in answer, f"{told}: {answer}"
        data, refused = await reference.answer(text, draw.variables)
        found = [x["path"][0] for x in answer.get("errors", ()) if x["extensions"]["status"] == 404]
        assert sorted(found) == sorted(refused), f"{told}: {answer.get('errors')}"
        assert len(found) == len(answer.get("errors", ())), f"{told}: {answer.get('errors')}"
        try:
            demand_same(answer["data"], data)
        except AssertionError as difference:
            raise AssertionError(f"{told}\n{difference}") from difference
        values += len(response.content)
        refusals += len(refused)
    # A test that found nothing to compare would pass too.
    assert values > 500 * SELECTIONS
    assert refusals < SELECTIONS / 2
