"""Both sides of the comparison, ready to be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.ground.access.principal import Principal, Tenant
from app.ground.database.embedded import SUPERUSER, Embedded
from app.ground.database.session import Database, Session
from app.language.metrics import answer, moment
from app.language.metrics.explain import explain
from app.language.metrics.question import MetricQuery, parse
from benchmarks.company import LARGER
from benchmarks.kpis import forms, hand, sameness
from benchmarks.kpis.forms import Form
from benchmarks.kpis.turns import Turns, in_turns

_SECONDS = 600
_COUNTED = (
    "opportunities",
    "opportunities_history",
    "activities",
    "leads",
    "opportunity_line_items",
    "quotas",
    "reps",
)

DASHBOARD = (
    "bookings", "won_deals", "win_rate", "average_deal_size", "sales_cycle", "open_pipeline", "weighted_pipeline",
    "pipeline_created", "quota_attainment", "activities", "leads_created", "lead_conversion",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    metric: str
    form: str
    asker: str
    cells: int
    turns: Turns


@dataclass(slots=True)
class Asking:
    database: Database
    bare: asyncpg.Connection
    principals: Mapping[str, Principal]
    now: datetime
    forms: Mapping[str, Form] = field(init=False)

    def __post_init__(self) -> None:
        self.forms = forms.forms(self.now)

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Embedded, now: datetime) -> AsyncIterator[Asking]:
        database = await Database.open(server.app_url, size=2, statement_timeout_ms=_SECONDS * 1000)
        bare = await asyncpg.connect(server.url(SUPERUSER))
        try:
            yield cls(database, bare, await _principals(bare), now)
        finally:
            await bare.close()
            await database.close()

    async def cells(self, metric: str, form: str, asker: str) -> int:
        """How many cells are alike; raises `Differ` where one is not."""
        ours, theirs = await self._ways(metric, form, asker)
        rows = [dict(row) for row in await theirs()]
        return sameness.demand(f"{metric} {form}, {asker}", self.forms[form], (await ours()).data, rows)

    async def compared(self, metric: str, form: str, asker: str, rounds: int) -> Compared:
        cells = await self.cells(metric, form, asker)
        ours, theirs = await self._ways(metric, form, asker)
        for _ in range(2):
            # What is not known to need a transaction is asked within one the second time.
            await ours()
            await theirs()
        return Compared(metric, form, asker, cells, await in_turns(ours, theirs, rounds))

    async def _ways(
        self, metric: str, form_name: str, asker: str
    ) -> tuple[Callable[[], Awaitable[answer.Answer]], Callable[[], Awaitable[Sequence[Any]]]]:
        form, principal = self.forms[form_name], self.principals[asker]
        question = self._question(principal, metric, form)
        text = hand.written(metric, hand.variants(form_name, manager=asker == "manager"))
        prepared = await self.bare.prepare(text.sql)
        arguments = text.arguments(form.parameters(principal, self.now))

        async def ours() -> answer.Answer:
            [found] = await self._answers(principal, [question])
            return found

        async def theirs() -> Sequence[Any]:
            return await prepared.fetch(*arguments)

        return ours, theirs

    async def explained(self, metric: str, asker: str, rounds: int) -> Compared:
        """The first page of the rows behind it, beside the number itself, both by month for a year."""
        form, principal = self.forms["months"], self.principals[asker]
        question = self._question(principal, metric, form)

        async def page() -> None:
            async with self.database.transaction(principal.tenant_id, isolation=moment.SNAPSHOT) as session:
                await explain(
                    session, principal, CATALOGUE, METRIC_CATALOGUE, question, limit=50, now=self.now
                )

        async def number() -> None:
            await self._answers(principal, [question])

        await page()
        await number()
        return Compared(metric, "explain", asker, 50, await in_turns(page, number, rounds))

    async def dashboard(self, asker: str, rounds: int) -> Compared:
        """Twelve numbers by month for a year in one request, beside what their statements take one after the other."""
        form, principal = self.forms["months"], self.principals[asker]
        questions = [self._question(principal, name, form) for name in DASHBOARD]
        sent: list[tuple[str, tuple[Any, ...]]] = []

        async def ours() -> None:
            await self._answers(principal, questions)

        async def theirs() -> None:
            async with self.database.transaction(principal.tenant_id) as session:
                for sql, arguments in sent:
                    await session.connection.fetch(sql, *arguments)

        async with self.database.transaction(principal.tenant_id) as session:
            noting = _Noting(session.connection, sent)
            for question in questions:
                await answer.query(
                    Session(noting, principal.tenant_id),
                    principal,
                    CATALOGUE,
                    METRIC_CATALOGUE,
                    question,
                    now=self.now,
                )
        for _ in range(2):
            await ours()
            await theirs()
        return Compared("dashboard", "months", asker, len(questions), await in_turns(ours, theirs, rounds))

    async def _answers(self, principal: Principal, questions: Sequence[MetricQuery]) -> list[answer.Answer]:
        return await moment.answers(
            self.database,
            principal,
            CATALOGUE,
            METRIC_CATALOGUE,
            questions,
            timeout_ms=_SECONDS * 1000,
            now=self.now,
        )

    def _question(self, principal: Principal, metric: str, form: Form) -> MetricQuery:
        return parse(METRIC_CATALOGUE, principal, metrics=[metric], now=self.now, **form.question)

    async def counts(self) -> dict[str, int]:
        each = ", ".join(f"(select count(*) from {name}) as {name}" for name in _COUNTED)
        found: Any = await self.bare.fetchrow(f"select {each}")
        return dict(found)

    async def version(self) -> str:
        found: Any = await self.bare.fetchval("show server_version")
        return found


class _Noting:
    """A connection that notes what is asked of it."""

    def __init__(self, connection: Any, sent: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._connection, self._sent = connection, sent

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        self._sent.append((sql, arguments))
        return await self._connection.fetch(sql, *arguments)


async def _principals(bare: asyncpg.Connection) -> dict[str, Principal]:
    """An admin, and the first head of sales with everyone below, of the larger customer."""
    row: Any = await bare.fetchrow(
        "select id, name, timezone, home_currency from control.tenants where name = $1", LARGER
    )
    manager = await bare.fetchval(
        "select id from reps where tenant_id = $1 and external_ids->0->>'external_id' = 'rep-1'", row["id"]
    )
    tenant = Tenant(**row)
    return {
        "admin": Principal(tenant=tenant, role="admin", name="bench"),
        "manager": Principal(tenant=tenant, role="manager", rep_id=manager, name="bench"),
    }
