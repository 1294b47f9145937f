"""A firm that lives: deals, terms, rates, managers and pay periods change, in an order drawn from a seed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from app.sales.incentives.resources import components, tiers
from tests.sales.conftest import Firm
from tests.sales.incentives import facts
from tests.sales.incentives.facts import FORMULAS
from tests.sales.incentives.oracle import Deal, World

MONTHS = tuple(f"2025-{month:02}" for month in range(1, 7))
FIRST, LAST = date(2025, 1, 1), date(2025, 6, 30)
CURRENCIES = ("USD", "JPY", "KWD")
SIZE = {"USD": 50_000, "JPY": 7_000_000, "KWD": 15_000}
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
SELLERS = ("r0", "r1", "r2", "r3")

Terms = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _tiers(code: str, *rows: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"component": code, "above": above, "rate": rate} for above, rate in rows]


def terms(plan: str, draw: Random) -> Terms:
    """Of a plan, with rates drawn anew; between them every way to pay."""

    def rate(low: float, high: float) -> float:
        return round(draw.uniform(low, high), 4)

    commission = {"code": "commission", "kind": "commission"}
    if plan == "marginal":
        return [
            {**commission, "tiered_by": "attainment", "tiering": "marginal", "hold_until": draw.choice(["paid", None])},
            {"code": "spiff", "kind": "spiff", "amount": 333.33, "starts_on": "2025-02-01", "ends_on": "2025-04-10",
             "applies_when": "type = 'new_business'"},
            {"code": "goal", "kind": "bonus", "amount": 1_000.5, "applies_when": "attainment >= 1"},
            {"code": "draw", "kind": "draw", "amount": 2_500},
        ], _tiers("commission", (0, rate(0.01, 0.1)), (0.5, rate(0.05, 0.15)), (1, rate(0.1, 0.2)))  # fmt: skip
    if plan == "retroactive":
        return [
            {**commission, "tiered_by": "attainment", "tiering": "retroactive", "clawback_days": 60,
             "cap": draw.choice([900_000, 1_300_000])},
        ], _tiers("commission", (0, rate(0.01, 0.1)), (0.6, rate(0.05, 0.15)), (1.2, rate(0.1, 0.2)))  # fmt: skip
    if plan == "flat":
        return [
            {**commission, "rate": rate(0.01, 0.1), "threshold": draw.choice([0.3, 0.6]), "clawback_days": 30,
             "hold_until": draw.choice(["booked", None])},
            {"code": "overlay", "kind": "overlay", "rate": rate(0.01, 0.05)},
            {"code": "marginal", "kind": "commission", "tiered_by": "credited", "tiering": "marginal", "cap": 700},
        ], _tiers("marginal", (0, rate(0.01, 0.1)), (10_000, rate(0.05, 0.15)))  # fmt: skip
    if plan == "formula":
        return [{**commission, "formula": draw.choice(list(FORMULAS))}], []
    return [
        {"code": "override", "kind": "override", "rate": rate(0.005, 0.02), "cap": draw.choice([None, 2_000])},
        {"code": "team", "kind": "override", "tiered_by": "credited", "tiering": "marginal"},
        {"code": "goal", "kind": "bonus", "amount": 777, "applies_when": "attainment >= 1"},
    ], _tiers("team", (0, rate(0.001, 0.01)), (40_000, rate(0.01, 0.02)))  # fmt: skip


PLANS = {"marginal": "USD", "retroactive": "JPY", "flat": "KWD", "formula": "USD", "override": "USD"}
ASSIGNED = (
    ("marginal", "r0", "2025-01-01", 40_000), ("retroactive", "r1", "2025-01-16", 9_000_000),
    ("flat", "r2", "2025-01-01", 12_000), ("marginal", "r2", "2025-02-01", 30_000),
    ("formula", "r3", "2025-01-01", 50_000), ("override", "m", "2025-01-01", 60_000),
    ("override", "boss", "2025-01-01", None),
)  # fmt: skip


def _plain(row: Any, noun: str) -> dict[str, Any]:
    """A part of a version as a caller tells it."""
    known = (components if noun == "components" else tiers).fields
    told = {x.name: row[x.name] for x in known if row[x.name] is not None}
    return {
        k: float(v) if isinstance(v, Decimal) else v.isoformat() if isinstance(v, date) else v
        for k, v in told.items()
    }


@dataclass
class Life:
    """`step` does one thing; `calculate` reckons the first open period."""

    firm: Firm
    draw: Random
    zone: str
    ties: bool
    """Whether deals may close at the same moment."""
    plans: dict[str, str] = field(default_factory=dict)
    deals: int = 0
    closed: int = 0
    told: list[str] = field(default_factory=list)
    managers: list[tuple[str, str]] = field(default_factory=list)
    """Of `r1`: (since, manager), drawn."""

    async def begin(self) -> None:
        put, create = self.firm.taken, self.firm.create
        await put("reps", {"external_id": "boss", "name": "Boss"})
        await put("reps", {"external_id": "m", "name": "Manager", "manager_id": "crm:boss"})
        await put("reps", {"external_id": "m2", "name": "Manager 2", "manager_id": "crm:boss"})
        for name in SELLERS:
            await put("reps", {"external_id": name, "name": name, "manager_id": "crm:m"})
        await put("pipelines", {"external_id": "p", "name": "Main", "is_default": True})
        for stage, category in (("s1", "open"), ("won", "won"), ("lost", "lost")):
            await put(
                "stages", {"external_id": stage, "pipeline_id": "crm:p", "name": stage, "category": category}
            )
        for month in MONTHS:
            await create("comp_periods", {"period": month})

    async def hire(self) -> None:
        for name, currency in PLANS.items():
            made = await self.firm.create("comp_plans", {"name": name, "currency": currency})
            self.plans[name] = str(made.id)
            await self.version(name, "2024-01-01", terms(name, self.draw))
        for plan, rep, start, target in ASSIGNED:
            await self.firm.create("plan_assignments", {
                "plan_id": self.plans[plan], "rep_id": f"crm:{rep}", "starts_on": start, "target": target,
            })  # fmt: skip
        await self.rate("KWD", "USD", "2024-12-01")

    async def version(self, plan: str, start: str, told: Terms) -> None:
        made = await self.firm.create("comp_plan_versions", {
            "plan_id": self.plans[plan], "effective_from": start, "components": told[0], "tiers": told[1],
        })  # fmt: skip
        await self.firm.act("comp_plan_versions", "publish", made.id)

    async def rate(self, source: str, target: str, day: str) -> None:
        worth = {"USD": 1.0, "JPY": 0.0067, "KWD": 3.26}
        rate = worth[source] / worth[target] * self.draw.uniform(0.9, 1.1)
        await self.firm.taken("exchange_rates", {
            "external_id": f"{source}-{target}-{day}", "from_currency": source, "to_currency": target, "on_day": day,
            "rate": round(rate, 8),
        })  # fmt: skip

    async def retell(
        self, other: Life, world: World, *, shuffled: bool
    ) -> list[Callable[[], Awaitable[Any]]]:
        """What is to be written so that this firm comes to where the other has ended, its plans being written already;
        deals by the order of their ids, unless shuffled."""
        names = {x["record_id"]: f"crm:{x['external_id']}" for x in await other.fetch(
            "select record_id, external_id from external_ids where tenant_id = $1"
        )}  # fmt: skip
        plans: dict[Any, str] = {}
        for row in await other.fetch(
            "select id, name, currency from comp_plans where tenant_id = $1 order by id"
        ):
            made = await self.firm.create("comp_plans", {"name": row["name"], "currency": row["currency"]})
            plans[row["id"]] = self.plans[row["name"]] = str(made.id)
        writes: list[Callable[[], Awaitable[Any]]] = []
        for row in await other.fetch("select * from comp_plan_versions where tenant_id = $1 order by id"):
            told = [
                [_plain(x, noun) for x in await other.fetch(
                    f"select * from comp_plan_{noun} where tenant_id = $1 and version_id = $2 order by id", row["id"]
                )] for noun in ("components", "tiers")
            ]  # fmt: skip
            writes.append(partial(
                self.version, next(k for k, v in self.plans.items() if v == plans[row["plan_id"]]),
                row["effective_from"].isoformat(), (told[0], told[1]),
            ))  # fmt: skip
        for x in world.assignments:
            writes.append(partial(self.firm.create, "plan_assignments", {
                "plan_id": plans[x.plan], "rep_id": names[x.rep], "starts_on": x.starts_on.isoformat(),
                "ends_on": x.ends_on and x.ends_on.isoformat(), "target": None if x.target is None else float(x.target),
            }))  # fmt: skip
        for x in world.rates:
            writes.append(partial(self.firm.taken, "exchange_rates", {
                "external_id": f"{x.source}-{x.target}-{x.day}", "from_currency": x.source, "to_currency": x.target,
                "on_day": x.day.isoformat(), "rate": float(x.rate),
            }))  # fmt: skip
        for rep, told in world.managers.items():
            if told[1:]:
                writes.append(partial(self.firm.taken, "reps", {"external_id": names[rep][4:], "history": [
                    {"at": at.isoformat(), "manager_id": names[manager]} for at, manager in told[1:] if manager
                ]}))  # fmt: skip
        deals = [partial(self._told, x, names) for x in sorted(world.deals, key=lambda x: x.id)]
        if not shuffled:
            return writes + deals
        writes += deals
        self.draw.shuffle(writes)
        return writes

    async def _told(self, deal: Deal, names: dict[Any, str]) -> None:
        name = names[deal.id][4:]
        settled = {"booked_on": deal.booked, "paid_on": deal.paid}
        await self.firm.taken("opportunities", {
            "external_id": name, "name": name, "amount": None if deal.amount is None else float(deal.amount),
            "currency": deal.currency, "owner_id": names[deal.owner], "opened_at": "2024-06-01", "type": deal.type,
            "stage_id": "crm:won", "closed_at": deal.closed_at.isoformat(),
            "splits": [{"rep_id": names[x.rep], "kind": x.kind, "share": float(x.share)} for x in deal.splits],
            **{k: "2025-06-30" for k, v in settled.items() if v},
        })  # fmt: skip
        if deal.reversed_at is not None:
            lost = {"at": deal.reversed_at.isoformat(), "stage_id": "crm:lost"}
            await self.firm.taken("opportunities", {"external_id": name, "history": [lost]})

    # --- what the tables say ------------------------------------------------------------------------------------

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        tenant = self.firm.principal.tenant_id
        async with self.firm.database.transaction(tenant) as session:
            return await session.connection.fetch(sql, tenant, *arguments)

    async def world(self) -> World:
        tenant = self.firm.principal.tenant_id
        async with self.firm.database.transaction(tenant) as session:
            return await facts.world(session.connection, tenant, self.zone)

    async def periods(self) -> list[Any]:
        return await self.fetch("select * from comp_periods where tenant_id = $1 order by starts_on")

    # --- what may happen ----------------------------------------------------------------------------------------

    def _day(self) -> date:
        return FIRST + timedelta(days=self.draw.randrange((LAST - FIRST).days))

    def _moment(self) -> str:
        """Of a close: another one each time, unless ties are wanted."""
        self.closed += 1
        minutes = 0 if self.ties and self.draw.random() < 0.4 else self.closed
        midnight = datetime.combine(self._day(), datetime.min.time(), UTC)
        return (midnight + timedelta(minutes=minutes, hours=0 if self.ties else self.closed % 23)).isoformat()

    def _amount(self, currency: str) -> float | None:
        chance = self.draw.random()
        if chance < 0.05:
            return None
        size = -0.3 if chance < 0.15 else 1
        return round(self.draw.random() * SIZE[currency] * size, DIGITS[currency])

    def _splits(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self.draw.random() < 0.6:
            whom = self.draw.sample(SELLERS, self.draw.randint(2, 3))
            cuts = sorted(self.draw.sample(range(1, 1_000_000), len(whom) - 1))
            shares = [b - a for a, b in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
            if self.draw.random() < 0.3:
                shares = [500_000, 250_000, 250_000][: len(whom)] if len(whom) == 3 else [500_000, 500_000]
            found += [
                {"rep_id": f"crm:{who}", "share": share / 1e6}
                for who, share in zip(whom, shares, strict=True)
            ]
        if self.draw.random() < 0.4:
            found.append({"rep_id": "crm:r2", "kind": "overlay", "share": self.draw.choice([0.25, 0.5, 1])})
        return found

    async def _of(self, condition: str) -> str | None:
        rows = await self.fetch(
            "select x.external_id from opportunities o join external_ids x on x.tenant_id = $1 "
            f"and x.record_id = o.id where o.tenant_id = $1 and {condition} order by o.id"
        )
        return self.draw.choice(rows)["external_id"] if rows else None

    async def _deal(self, **fields: Any) -> None:
        self.deals += 1
        currency = self.draw.choice(CURRENCIES)
        await self.firm.taken("opportunities", {
            "external_id": f"d{self.deals}", "name": f"d{self.deals}", "amount": self._amount(currency),
            "currency": currency, "owner_id": f"crm:{self.draw.choice(SELLERS)}", "opened_at": "2024-06-01",
            "type": self.draw.choice(["new_business", "renewal"]),
            "splits": self._splits() if self.draw.random() < 0.5 else [], **fields,
        })  # fmt: skip

    async def win(self) -> None:
        await self._deal(stage_id="crm:won", closed_at=self._moment())

    async def open(self) -> None:
        await self._deal(stage_id="crm:s1")

    async def _change(self, condition: str, **fields: Any) -> None:
        if (deal := await self._of(condition)) is not None:
            await self.firm.taken("opportunities", {"external_id": deal, **fields})

    async def close_open(self) -> None:
        await self._change(
            "o.category = 'open' and o.deleted_at is null", stage_id="crm:won", closed_at=self._moment()
        )

    async def re_amount(self) -> None:
        currency = self.draw.choice(CURRENCIES)
        await self._change("o.deleted_at is null", amount=self._amount(currency), currency=currency)

    async def split(self) -> None:
        await self._change("o.deleted_at is null", splits=self._splits())

    async def re_own(self) -> None:
        await self._change("o.deleted_at is null", owner_id=f"crm:{self.draw.choice(SELLERS)}")

    async def re_date(self) -> None:
        await self._change("o.category = 'won' and o.deleted_at is null", closed_at=self._moment())

    async def settle(self) -> None:
        """Booked and paid, or not any more."""
        day = self.draw.choice(["2025-06-30", None])
        await self._change(
            "o.category = 'won' and o.deleted_at is null", **{self.draw.choice(["booked_on", "paid_on"]): day}
        )

    async def reverse(self) -> None:
        """Days after the close, as its history tells later; or now."""
        deal = await self._of("o.category = 'won' and o.deleted_at is null")
        if deal is None:
            return
        if self.draw.random() < 0.2:
            await self.firm.act("opportunities", "reopen", f"crm:{deal}")
            return
        [row] = await self.fetch(
            "select o.closed_at from opportunities o join external_ids x on x.tenant_id = $1 and x.record_id = o.id "
            "where o.tenant_id = $1 and x.external_id = $2", deal,
        )  # fmt: skip
        at = row["closed_at"] + timedelta(days=self.draw.choice([5, 29, 30, 31, 59, 60, 61, 90]))
        to = self.draw.choice(["crm:s1", "crm:lost"])
        await self.firm.taken(
            "opportunities", {"external_id": deal, "history": [{"at": at.isoformat(), "stage_id": to}]}
        )

    async def delete(self) -> None:
        if (deal := await self._of("o.deleted_at is null")) is not None:
            await self.firm.delete("opportunities", f"crm:{deal}")

    async def restore(self) -> None:
        if (deal := await self._of("o.deleted_at is not null")) is not None:
            await self.firm.restore("opportunities", f"crm:{deal}")

    async def other_terms(self) -> None:
        plan = self.draw.choice(list(self.plans))
        start = self._day().isoformat()
        rows = await self.fetch(
            "select 1 from comp_plan_versions where tenant_id = $1 and plan_id = $2 and effective_from = $3",
            self.plans[plan], date.fromisoformat(start),
        )  # fmt: skip
        if not rows:
            await self.version(plan, start, terms(plan, self.draw))

    async def other_rate(self) -> None:
        pairs = [("JPY", "USD"), ("USD", "JPY"), ("KWD", "USD"), ("USD", "KWD")]
        await self.rate(*self.draw.choice(pairs), self._day().replace(day=1).isoformat())

    async def drop_rate(self) -> None:
        rows = await self.fetch(
            "select id from exchange_rates where tenant_id = $1 and deleted_at is null order by id"
        )
        if len(rows) > 1:
            await self.firm.delete("exchange_rates", self.draw.choice(rows)["id"])

    async def _assignment(self) -> Any:
        rows = await self.fetch(
            "select * from plan_assignments where tenant_id = $1 and deleted_at is null order by id"
        )
        return self.draw.choice(rows)

    async def target(self) -> None:
        one = await self._assignment()
        target = (
            None if one["target"] is None else float(one["target"]) * self.draw.choice([0, 0.5, 0.9, 1.3])
        )
        await self.firm.patch(
            "plan_assignments", one["id"], {"target": None if target is None else round(target, 2)}
        )

    async def assign_until(self) -> None:
        one = await self._assignment()
        ends = self.draw.choice([None, "2025-04-16", "2025-07-01"])
        if ends is not None and date.fromisoformat(ends) <= one["starts_on"]:
            return
        await self.firm.patch("plan_assignments", one["id"], {"ends_on": ends})

    async def assign_another(self) -> None:
        """Somebody else is paid by a plan as well, for part of the time."""
        plan, rep = self.draw.choice(list(self.plans.values())), self.draw.choice(SELLERS)
        taken = await self.fetch(
            "select 1 from plan_assignments a join external_ids x on x.tenant_id = $1 and x.record_id = a.rep_id "
            "where a.tenant_id = $1 and a.plan_id = $2 and x.external_id = $3 and a.deleted_at is null", plan, rep,
        )  # fmt: skip
        if not taken:
            await self.firm.create("plan_assignments", {
                "plan_id": plan, "rep_id": f"crm:{rep}", "starts_on": self._day().isoformat(),
                "target": self.draw.choice([20_000, 1_000_000]),
            })  # fmt: skip

    async def dismiss(self) -> None:
        """Somebody's assignment is deleted; one that was deleted before comes back, where nothing stands in its way."""
        gone = await self.fetch(
            "select a.id from plan_assignments a where a.tenant_id = $1 and a.deleted_at is not null and not exists ("
            "select 1 from plan_assignments o where o.tenant_id = $1 and o.deleted_at is null "
            "and (o.plan_id, o.rep_id) = (a.plan_id, a.rep_id)) order by a.id"
        )
        if gone and self.draw.random() < 0.5:
            await self.firm.restore("plan_assignments", self.draw.choice(gone)["id"])
        else:
            await self.firm.delete("plan_assignments", (await self._assignment())["id"])

    async def move(self) -> None:
        """A rep gets another manager, since some day."""
        at, manager = self._day().isoformat(), self.draw.choice(["m", "m2", "boss"])
        await self.firm.taken(
            "reps", {"external_id": "r1", "history": [{"at": at, "manager_id": f"crm:{manager}"}]}
        )

    async def close_period(self) -> None:
        rows = [x for x in await self.periods() if x["state"] != "closed"]
        if len(rows) > 2:
            for verb in ("calculate", "approve", "close"):
                await self.firm.act("comp_periods", verb, rows[0]["id"])

    async def reopen_period(self) -> None:
        rows = [x for x in await self.periods() if x["state"] == "closed"]
        if rows:
            await self.firm.act("comp_periods", "reopen", rows[-1]["id"])

    async def step(self) -> str:
        weights: dict[Callable[[], Awaitable[None]], float] = {
            self.win: 6 if self.deals < 40 else 0.5, self.open: 1, self.close_open: 2, self.re_amount: 4, self.split: 3,
            self.re_own: 2, self.re_date: 2, self.settle: 2, self.reverse: 4, self.delete: 1, self.restore: 1,
            self.other_terms: 1.5, self.other_rate: 2, self.drop_rate: 0.7, self.target: 1, self.assign_until: 1,
            self.assign_another: 1, self.dismiss: 1, self.move: 1, self.close_period: 3, self.reopen_period: 1.2,
        }  # fmt: skip
        [what] = self.draw.choices(list(weights), list(weights.values()))
        self.told.append(what.__name__)
        await what()
        return what.__name__

    async def calculate(self) -> None:
        """All at once, or rep by rep."""
        first = next(x for x in await self.periods() if x["state"] != "closed")
        if self.draw.random() < 0.7:
            await self.firm.act("comp_periods", "calculate", first["id"])
            return
        for row in await self.fetch("select id from reps where tenant_id = $1 order by id desc"):
            await self.firm.act("comp_periods", "calculate", first["id"], {"rep_id": str(row["id"])})
