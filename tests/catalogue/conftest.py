"""`world`: one company with a dozen records of every noun, read and never changed. `bench`: an own one, to write in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from app.areas import CATALOGUE
from app.ground.access.keys import create_key
from app.ground.access.principal import ROLES, Principal
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.language.resources import write
from app.language.resources.resource import Resource
from app.main import create_app
from tests.catalogue import payroll
from tests.catalogue.company import Maker, in_order, targets, written
from tests.catalogue.faces import Face, Graph, Rest

RECORDS = 12


@dataclass
class World:
    """A tenant with its records. `payloads` are the upsert rows by plural, `make` knows the ids."""

    company: Any
    make: Maker
    payloads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keys: dict[Any, str] = field(default_factory=dict)
    prefix: str = ""
    """Of its external ids, where two companies must not share them."""

    @property
    def database(self) -> Database:
        return self.company.database

    @property
    def admin(self) -> Principal:
        return self.company.principal()

    async def key(self, role: str = "admin", rep: str | None = None, scopes: tuple[str, ...] = ()) -> str:
        who = role, rep, scopes
        if who not in self.keys:
            self.keys[who] = await self.company.key(role, UUID(rep) if rep else None, scopes)
        return self.keys[who]

    async def fill(self, nouns: list[Resource], count: int, *, empty: float = 0.25) -> None:
        """Upsert `count` records of each noun, as external ids `<prefix><noun>-<n>` of the source `crm`."""
        for noun in nouns:
            if not written(noun.plural):
                assert noun.plural in COME_TO_BE, (
                    f"say in conftest.py how records of {noun.plural} come to be"
                )
                if noun.plural not in self.make.known:
                    await COME_TO_BE[noun.plural](self, count)
                continue
            half = max(1, count // 3) if noun.plural in targets(noun) else count
            for size in (half, count - half):
                # Later ones may refer to earlier ones of the same noun.
                begin = len(self.payloads.get(noun.plural, ()))
                rows = [
                    {
                        "external_id": f"{self.prefix}{noun.name}-{begin + i}",
                        **self.make.payload(noun, empty=empty),
                    }
                    for i in range(size)
                ]
                if rows:
                    await self.put(noun, rows)

    async def put(self, noun: Resource, rows: list[dict[str, Any]], **options: Any) -> list[Any]:
        async with self.database.transaction(self.company.id) as session:
            receipts = await write.upsert(session, self.admin, CATALOGUE, noun, "crm", rows, **options)
        faults = [(row, r.errors) for row, r in zip(rows, receipts, strict=True) if r.outcome == "failed"]
        assert not faults, f"{noun.plural}: payloads made from the declaration are refused: {faults[0]}"
        new = [str(r.id) for r in receipts if r.outcome == "created"]
        self.make.known.setdefault(noun.plural, []).extend(new)
        self.payloads.setdefault(noun.plural, []).extend(rows)
        for row, receipt in zip(rows, receipts, strict=True):
            self.make.facts[str(receipt.id)] = row
        return receipts


async def _keys(world: World, count: int) -> None:
    for index in range(count):
        async with world.database.transaction(world.company.id) as session:
            reps, users = world.make.known["reps"], world.make.known["users"]
            id_, _ = await create_key(
                session, name=f"Key {index % 4}", role=ROLES[index % 5],
                rep_id=UUID(reps[index % len(reps)]) if index % 2 else None,
                user_id=UUID(users[index % len(users)]) if index % 3 == 0 else None,
                scopes=["opportunities:read"] if index % 4 == 0 else [],
            )  # fmt: skip
        world.make.known.setdefault("api_keys", []).append(str(id_))


COME_TO_BE: dict[str, Callable[[World, int], Awaitable[None]]] = {
    "api_keys": _keys,
    **dict.fromkeys(payroll.POSTED, payroll.earn),
}
"""What nobody creates, and how it is there all the same."""


@pytest.fixture(scope="session")
def service(settings: Settings, database: Database) -> Any:
    # Whole nouns with all that hangs on them are asked for here, which no screen does.
    wide = {f"graphql_max_{name}": 1_000_000 for name in ("bytes", "tokens", "aliases", "fields", "cost")}
    return create_app(settings.model_copy(update=wide), database)


@pytest_asyncio.fixture(scope="session")
async def client(service: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url="http://attain", timeout=60) as opened:
        yield opened


@pytest.fixture(scope="session")
def faces(client: httpx.AsyncClient) -> dict[str, Face]:
    return {"rest": Rest(client), "graphql": Graph(client)}


@pytest.fixture(params=["rest", "graphql"])
def face(request: pytest.FixtureRequest, faces: dict[str, Face]) -> Face:
    return faces[request.param]


@pytest.fixture(scope="session")
def rest(faces: dict[str, Face]) -> Rest:
    found = faces["rest"]
    assert isinstance(found, Rest)
    return found


@pytest.fixture(scope="session")
def graph(faces: dict[str, Face]) -> Graph:
    found = faces["graphql"]
    assert isinstance(found, Graph)
    return found


@pytest_asyncio.fixture(scope="session")
async def world(make_tenant: Callable[..., Awaitable[Any]]) -> World:
    """Its zone and home currency are not the usual ones."""
    company = await make_tenant("World", timezone="America/New_York", home_currency="EUR")
    made = World(company, Maker("world"))
    await made.fill(in_order(), RECORDS)
    return made


@pytest_asyncio.fixture
async def bench(make_tenant: Callable[..., Awaitable[Any]], request: pytest.FixtureRequest) -> World:
    """What the noun of the test (its parameter `noun`) refers to is there already."""
    made = World(await make_tenant("Bench"), Maker(request.node.name))
    noun = request.node.callspec.params["noun"]
    await made.fill(prerequisites(noun), 3, empty=0)
    return made


def prerequisites(noun: Resource) -> list[Resource]:
    needed: set[str] = set()

    def visit(plural: str) -> None:
        for target in targets(CATALOGUE[plural]):
            if target not in needed:
                needed.add(target)
                visit(target)

    visit(noun.plural)
    return [x for x in in_order() if x.plural in needed]
