"""A small company, written through the one write path, and short ways to ask it for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from app.areas import CATALOGUE, METRIC_CATALOGUE, found
from app.ground.access import custom
from app.ground.access.principal import Principal
from app.ground.access.tenants import create_tenant
from app.ground.database.session import Database, connect
from app.language.metrics.answer import Answer
from app.language.metrics.describe import exclusions
from app.language.metrics.explain import Contribution, explain
from app.language.metrics.moment import SNAPSHOT, answers
from app.language.metrics.question import parse
from app.language.resources import read, write
from app.language.resources.shape import full
from tests.conftest import Company

Row = dict[str, Any]


@dataclass
class World:
    company: Company

    @property
    def admin(self) -> Principal:
        return self.company.principal("admin")

    async def put(self, noun: str, *rows: Row, origin: str = "backfill", source: str = "t") -> list[str]:
        """Upsert; the ids in the order of the rows."""
        async with self.company.database.transaction(self.company.id) as session:
            receipts = await write.upsert(
                session,
                self.admin,
                CATALOGUE,
                CATALOGUE[noun],
                source,
                [dict(row) for row in rows],
                origin=origin,
            )
        failed = [(r.index, r.errors, r.failure) for r in receipts if r.outcome == "failed"]
        assert not failed, failed
        return [str(r.id) for r in receipts]

    async def add_field(self, noun: str, name: str, kind: str = "picklist") -> None:
        """A custom field, known at once to everyone who asks from now on."""
        declared = {"noun": noun, "name": name, "kind": kind, "title": name}
        async with self.company.database.transaction(self.company.id) as session:
            await write.create(session, self.admin, CATALOGUE, CATALOGUE["custom_fields"], declared)
            declared_now = f"select {custom.declared('$1')}"
            text = await session.connection.fetchval(declared_now, self.company.id)
        tenant = replace(self.company.tenant, custom=custom.told(text))
        self.company = replace(self.company, tenant=tenant)

    async def act(self, noun: str, verb: str, reference: str, data: Row | None = None) -> None:
        action = CATALOGUE[noun].actions_by_name[verb]
        async with self.company.database.transaction(self.company.id) as session:
            await write.act(session, self.admin, CATALOGUE, CATALOGUE[noun], action, reference, data)

    async def delete(self, noun: str, reference: str) -> None:
        async with self.company.database.transaction(self.company.id) as session:
            await write.delete(session, self.admin, CATALOGUE, CATALOGUE[noun], reference)

    async def listed(self, noun: str, principal: Principal) -> list[Row]:
        """What somebody's list of a noun shows."""
        resource = CATALOGUE[noun]
        async with self.company.database.transaction(self.company.id) as session:
            shape = full(CATALOGUE, resource, principal.role, expand=())
            page = await read.page(
                session, principal, CATALOGUE, read.Query(resource=resource, shape=shape, limit=200)
            )
        assert not page.has_more
        return [orjson.loads(row) for row in page.rows]

    async def answer(
        self, *metrics: str, principal: Principal | None = None, now: datetime | None = None, **rest: Any
    ) -> Answer:
        asker = principal or self.admin
        for name in ("by",):
            if isinstance(rest.get(name), str):
                rest[name] = [rest[name]]
        filters = {k: [v] if isinstance(v, str) else v for k, v in (rest.pop("filters", None) or {}).items()}
        question = parse(METRIC_CATALOGUE, asker, metrics=metrics, filters=filters, now=now, **rest)
        [answer] = await answers(
            self.company.database, asker, CATALOGUE, METRIC_CATALOGUE, [question], timeout_ms=30_000, now=now
        )
        for row in answer.data:
            told = exclusions(METRIC_CATALOGUE.by_name[row["metric"]]) if "excluded" in row else ()
            assert {*row.get("excluded", ())} <= {*told}, "left out for a reason of which its page is silent"
        return answer

    async def rows(self, *metrics: str, **rest: Any) -> list[Row]:
        return (await self.answer(*metrics, **rest)).data

    async def one(self, metric: str, **rest: Any) -> Row:
        [row] = await self.rows(metric, **rest)
        return row

    async def value(self, metric: str, **rest: Any) -> Decimal | None:
        return (await self.one(metric, **rest))["value"]

    async def grouped(self, metric: str, by: str, **rest: Any) -> dict[str | None, Any]:
        """Values by the group's name."""
        return {
            row["dimensions"][by]["name"]: row["value"] for row in await self.rows(metric, by=[by], **rest)
        }

    async def bucketed(self, metric: str, **rest: Any) -> dict[str, Any]:
        return {row["period_start"]: row["value"] for row in await self.rows(metric, **rest)}

    async def contributions(
        self,
        metric: str,
        *,
        page: int = 7,
        principal: Principal | None = None,
        now: datetime | None = None,
        by: Sequence[str] = (),
        filters: dict[str, Sequence[str]] | None = None,
        **rest: Any,
    ) -> list[Contribution]:
        """Every row of explain, walked page by page."""
        asker = principal or self.admin
        question = parse(METRIC_CATALOGUE, asker, metrics=[metric], by=by, filters=filters, now=now, **rest)
        found: list[Contribution] = []
        cursor = None
        async with self.company.database.transaction(self.company.id, isolation=SNAPSHOT) as session:
            while True:
                got = await explain(
                    session, asker, CATALOGUE, METRIC_CATALOGUE, question, limit=page, cursor=cursor, now=now
                )
                found += got.contributions
                if not got.has_more:
                    return found
                cursor = got.next_cursor
                assert cursor is not None


async def new_world(owner_url: str, database: Database, **tenant: Any) -> World:
    """A company of its own; for fixtures that serve a whole module."""
    owner = await connect(owner_url)
    try:
        made = await create_tenant(owner, **{"name": "Numbers", "seed": found, **tenant})
    finally:
        await owner.close()
    return World(Company(made, database))
