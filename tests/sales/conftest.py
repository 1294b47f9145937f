"""`firm`: a tenant with a pipeline, a manager and two reps, and short words for writing to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest_asyncio

from app.areas import CATALOGUE
from app.language.resources import changes, read, write
from app.language.resources.inquire import inquire
from app.language.resources.shape import full
from tests.language.resources.test_write import seed


@dataclass
class Firm:
    """Each call is a transaction of its own. `crm:r1` and `crm:r2` report to `crm:m`."""

    company: Any
    principal: Any
    database: Any
    catalogue = CATALOGUE
    json = staticmethod(orjson.loads)

    def acting(self, role: str, rep_id: Any = None) -> Firm:
        return Firm(self.company, self.company.principal(role, rep_id), self.database)

    async def _do(self, work: Any) -> Any:
        async with self.database.transaction(self.principal.tenant_id) as session:
            return await work(session)

    async def put(self, plural: str, rows: list[dict[str, Any]], **options: Any) -> list[Any]:
        return await self._do(
            lambda s: write.upsert(s, self.principal, CATALOGUE, CATALOGUE[plural], "crm", rows, **options)
        )

    async def taken(self, plural: str, *rows: dict[str, Any], **options: Any) -> list[Any]:
        receipts = await self.put(plural, list(rows), **options)
        assert [r.errors for r in receipts if r.outcome == "failed"] == []
        return receipts

    async def create(self, plural: str, data: dict[str, Any]) -> Any:
        return await self._do(lambda s: write.create(s, self.principal, CATALOGUE, CATALOGUE[plural], data))

    async def patch(self, plural: str, reference: Any, data: dict[str, Any]) -> Any:
        noun = CATALOGUE[plural]
        return await self._do(
            lambda s: write.update(s, self.principal, CATALOGUE, noun, str(reference), data)
        )

    async def delete(self, plural: str, reference: Any) -> Any:
        noun = CATALOGUE[plural]
        return await self._do(lambda s: write.delete(s, self.principal, CATALOGUE, noun, str(reference)))

    async def restore(self, plural: str, reference: Any) -> Any:
        noun = CATALOGUE[plural]
        return await self._do(lambda s: write.restore(s, self.principal, CATALOGUE, noun, str(reference)))

    async def act(self, plural: str, verb: str, reference: Any, data: dict[str, Any] | None = None) -> Any:
        noun = CATALOGUE[plural]
        action = noun.actions_by_name[verb]
        return await self._do(
            lambda s: write.act(s, self.principal, CATALOGUE, noun, action, str(reference), data)
        )

    async def ask(self, plural: str, name: str, reference: Any, data: dict[str, Any] | None = None) -> Any:
        """What an inquiry answers, as its declaration says that it is."""
        [inquiry] = [x for x in CATALOGUE.inquiries[plural] if x.name == name]
        tenant = self.principal.tenant_id
        async with self.database.transaction(tenant, isolation="repeatable read read only") as session:
            found = await inquire(session, self.principal, CATALOGUE, inquiry, str(reference), data)
        return inquiry.answer.model_validate(found).model_dump()

    async def get(self, plural: str, reference: Any, *expand: str, **options: Any) -> dict[str, Any]:
        noun = CATALOGUE[plural]
        shape = full(CATALOGUE, noun, self.principal.role, expand)
        text = await self._do(
            lambda s: read.one(s, self.principal, CATALOGUE, noun, str(reference), shape, **options)
        )
        return orjson.loads(text)

    async def told(self, settled: Any) -> list[tuple[str, Any]]:
        """Type and record of every event so far."""
        await settled()
        batch = await self._do(lambda s: changes.changes(s, self.principal, CATALOGUE, None, limit=1000))
        return [(x.type, x.record_id) for x in batch.entries]


@pytest_asyncio.fixture
async def firm(tenant: Any, database: Any) -> Firm:
    principal = tenant.principal()
    await seed(database, principal)
    return Firm(tenant, principal, database)
