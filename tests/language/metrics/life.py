"""The life of a company, event by event as its systems and its people would tell it, thrown by dice.

Everything goes through the one write path and holds from the moment of its write, but for the few events that correct
the past. A `Life` keeps just enough of what it did to do next what is allowed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from app.areas import CATALOGUE
from app.language.resources import write
from tests.language.metrics.world import Row, World

STAGES = (
    ("new", "open", 0.1, None, 0),
    ("talk", "open", 0.4, "best_case", 1),
    ("offer", "open", 0.7, "commit", 2),
    ("won", "won", 1, None, 3),
    ("lost", "lost", 0, None, 4),
    ("gone", "abandoned", 0, None, 5),
)
OPEN = ("new", "talk", "offer")


@dataclass
class Life:
    world: World
    dice: random.Random
    today: datetime
    """The moment at which the day's events begin."""
    happened: Counter[str] = field(default_factory=Counter)
    deals: dict[str, str] = field(default_factory=dict)
    """Those that are there, with their stage."""
    deleted: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Noun, reference and, of a deal, its stage."""
    sellers: list[str] = field(default_factory=lambda: [f"s{i}" for i in range(5)])
    accounts: list[str] = field(default_factory=lambda: [f"a{i}" for i in range(8)])
    leads: dict[str, str] = field(default_factory=dict)
    """Those that are there: new, qualified, disqualified or converted."""
    activities: list[str] = field(default_factory=list)
    quotas: dict[str, Row] = field(default_factory=dict)
    reliefs: dict[str, str] = field(default_factory=dict)
    """Those that are there, with their state."""
    rates: dict[str, Row] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _do(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self.world.company.database.transaction(self.world.company.id) as session:
            return await work(session)

    async def push(self, plural: str, *rows: Row) -> None:
        """As a source pushes what is new there."""
        await self.world.put(plural, *rows, origin="live")

    async def create(self, plural: str, data: Row) -> str:
        made = await self._do(lambda s: write.create(s, self.world.admin, CATALOGUE, CATALOGUE[plural], data))
        return str(made.id)

    async def patch(self, plural: str, reference: str, **data: Any) -> None:
        await self._do(
            lambda s: write.update(s, self.world.admin, CATALOGUE, CATALOGUE[plural], reference, data)
        )

    async def act(self, plural: str, verb: str, reference: str, **data: Any) -> Any:
        noun = CATALOGUE[plural]
        action = noun.actions_by_name[verb]
        return await self._do(
            lambda s: write.act(s, self.world.admin, CATALOGUE, noun, action, reference, data)
        )

    async def restore(self, plural: str, reference: str) -> None:
        await self._do(lambda s: write.restore(s, self.world.admin, CATALOGUE, CATALOGUE[plural], reference))

    # --- throwing ----------------------------------------------------------------------------------------------------

    def name(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers)}"

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def seller(self) -> str:
        return f"t:{self.dice.choice([*self.sellers, 'm1'])}"

    def account(self) -> str | None:
        return f"t:{self.dice.choice(self.accounts)}" if self.chance(0.9) else None

    def amount(self) -> float | None:
        return None if self.chance(0.1) else self.dice.choice([0, self.dice.randint(1, 9_000_000) / 100])

    def day(self, back: int, ahead: int) -> str:
        return (self.today.date() + timedelta(days=self.dice.randint(-back, ahead))).isoformat()

    def moment(self, back: int = 30) -> str:
        return (self.today - timedelta(seconds=self.dice.randrange(60, back * 86_400))).isoformat()

    def a_deal(self, *stages: str) -> str | None:
        found = [key for key, stage in self.deals.items() if not stages or stage in stages]
        return self.dice.choice(found) if found else None

    def a_lead(self, *states: str) -> str | None:
        found = [key for key, state in self.leads.items() if state in states]
        return self.dice.choice(found) if found else None

    # --- the first day -----------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        await self.push("teams", *({"external_id": x, "name": x} for x in ("red", "blue")))
        await self.push("territories", *({"external_id": x, "name": x} for x in ("east", "west")))
        await self.push("reps", {"external_id": "head", "name": "head", "hired_on": "2020-01-01"})
        await self.push("reps", *(
            {"external_id": x, "name": x, "manager_id": "t:head", "hired_on": "2022-05-01", "team_id": f"t:{team}"}
            for x, team in (("m1", "red"), ("m2", "blue"))
        ))  # fmt: skip
        await self.push("reps", *(
            {"external_id": x, "name": x, "manager_id": self.dice.choice(["t:m1", "t:m2"]),
             "team_id": self.dice.choice(["t:red", "t:blue"]), "territory_id": self.dice.choice(["t:east", "t:west"]),
             "function": "field", "hired_on": "2024-03-01" if self.chance(0.8) else None}
            for x in self.sellers
        ))  # fmt: skip
        await self.push(
            "reps", {"external_id": "left", "name": "left", "hired_on": "2023-01-01", "left_on": "2025-01-20"}
        )
        await self.push("reps", {
            "external_id": "fresh", "name": "fresh", "hired_on": "2025-01-06", "manager_id": "t:m1",
        })  # fmt: skip
        await self.push(
            "quotas", {"external_id": "fresh", "rep_id": "t:fresh", "period": "2025-Q1", "amount": 900}
        )
        await self.push("activities", {
            "external_id": "session", "kind": "meeting", "purpose": "coaching", "owner_id": "t:m1",
            "occurred_at": "2025-02-10T15:00:00Z", "duration_seconds": 3600,
        })  # fmt: skip
        await self.push("accounts", *(
            {"external_id": x, "name": x, "industry": self.dice.choice(["retail", "energy"]), "country": "France"}
            for x in self.accounts
        ))  # fmt: skip
        await self.push(
            "products",
            *({"external_id": x, "name": x, "family": f"f{x}", "cost": 40} for x in ("p1", "p2", "p3")),
        )
        await self.push("pipelines", {"external_id": "pipe", "name": "pipe", "is_default": True})
        await self.push("stages", *(
            {"external_id": name, "name": name, "pipeline_id": "t:pipe", "category": category, "probability": chance,
             "forecast_category": forecast, "position": position}
            for name, category, chance, forecast, position in STAGES
        ))  # fmt: skip
        for _ in range(2):
            await self.rate_of_a_day()
        for _ in range(4):
            await self.quota_set()
            await self.relief_asked()
            await self.relief_decided()
        for _ in range(10):
            await self.deal_imported()
            await self.deal_pushed()
            await self.lead_received()
            await self.activity_logged()

    async def pass_day(self, events: int = 12) -> None:
        """Deals and what is done for them first, whoever else does something after."""
        names = [name for name, weight in EVENTS.items() for _ in range(weight)]
        for name in self.dice.choices(names, k=events):
            await self.happen(name)

    async def happen(self, name: str) -> None:
        if await getattr(self, name)() is not False:
            self.happened[name] += 1

    # --- deals -------------------------------------------------------------------------------------------------------

    def _deal(self) -> Row:
        lines = [
            {"product_id": self.dice.choice(["t:p1", "t:p2", "t:p3", None]), "quantity": self.dice.randint(1, 5),
             "list_price": 100, "unit_price": self.dice.choice([100, 80, 65.5]), "position": i}
            for i in range(self.dice.choice([0, 1, 2, 3]))
        ]  # fmt: skip
        return {
            "name": self.name("deal "), "owner_id": self.seller(), "account_id": self.account(),
            "currency": self.dice.choice(["USD", "USD", "EUR", "JPY"]), "amount": self.amount(), "line_items": lines,
            "type": self.dice.choice(["new_business", "renewal", None]), "expected_close_on": self.day(10, 90),
            "competitor": self.dice.choice([None, "Globex", "Initech"]),
            "forecast_category": self.dice.choice([None, None, "commit", "most_likely", "best_case"]),
            "sales_channel": self.dice.choice([None, "field", "partner"]),
            "term_months": self.dice.choice([None, 7, 12, 36]),
        }  # fmt: skip

    async def deal_created(self) -> None:
        stage = self.dice.choice(OPEN)
        id_ = await self.create("opportunities", {**self._deal(), "stage_id": f"t:{stage}"})
        self.deals[id_] = stage

    async def deal_pushed(self) -> None:
        """Without its past, which is inferred."""
        key, (stage, category, *_) = self.name("d"), self.dice.choice(STAGES)
        row = {**self._deal(), "external_id": key, "stage_id": f"t:{stage}"}
        if self.chance(0.8):
            row["opened_at"] = self.moment(90)
        if category != "open" and self.chance(0.8):
            row["closed_at"] = self.moment()
        await self.push("opportunities", row)
        self.deals[f"t:{key}"] = stage

    async def deal_imported(self) -> None:
        """With its past."""
        key, stages = self.name("d"), self.dice.sample([s[0] for s in STAGES], 3)
        moments = sorted(self.moment(120) for _ in stages)
        row = self._deal()
        history: list[Row] = [
            {"at": at, "stage_id": f"t:{stage}"} for at, stage in zip(moments, stages, strict=True)
        ]
        history[0] |= {"owner_id": self.seller(), "amount": self.amount()}
        await self.world.put("opportunities", {
            **row, "external_id": key, "stage_id": f"t:{stages[-1]}", "opened_at": moments[0], "history": history,
        })  # fmt: skip
        self.deals[f"t:{key}"] = stages[-1]

    async def deal_repriced(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        return await self.patch("opportunities", deal, amount=self.amount())

    async def deal_edited(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        told = self._deal()
        names = self.dice.sample(sorted(told.keys() - {"name", "owner_id", "line_items"}), 2)
        return await self.patch("opportunities", deal, **{name: told[name] for name in names})

    async def deal_weighed(self) -> bool | None:
        if (deal := self.a_deal(*OPEN)) is None:
            return False
        return await self.patch("opportunities", deal, probability=self.dice.choice([None, 0.25, 0.9]))

    async def deal_put_off(self) -> bool | None:
        """Twice on one day, now and then: the second time it may be put right."""
        if (deal := self.a_deal(*OPEN)) is None:
            return False
        for _ in range(self.dice.choice([1, 1, 2])):
            await self.patch("opportunities", deal, expected_close_on=self.day(0, 120))
        return None

    async def deal_moved(self) -> bool | None:
        if (deal := self.a_deal(*OPEN)) is None:
            return False
        self.deals[deal] = self.dice.choice([*OPEN, "gone"])
        return await self.act("opportunities", "move", deal, stage_id=f"t:{self.deals[deal]}")

    async def deal_won(self) -> bool | None:
        if (deal := self.a_deal(*OPEN, "lost")) is None:
            return False
        self.deals[deal] = "won"
        told = {"closed_at": self.moment(20)} if self.chance(0.2) else {}
        return await self.act("opportunities", "close_won", deal, **told)

    async def deal_lost(self) -> bool | None:
        if (deal := self.a_deal(*OPEN, "won")) is None:
            return False
        self.deals[deal] = "lost"
        return await self.act("opportunities", "close_lost", deal, competitor="Globex")

    async def deal_reopened(self) -> bool | None:
        if (deal := self.a_deal("won", "lost", "gone")) is None:
            return False
        self.deals[deal] = "talk"
        return await self.act("opportunities", "reopen", deal, stage_id="t:talk")

    async def deal_reassigned(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        return await self.act("opportunities", "reassign", deal, owner_id=self.seller())

    async def deal_split(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        two = self.dice.sample(self.sellers, 2)
        splits = [{"rep_id": f"t:{x}", "share": share} for x, share in zip(two, (0.25, 0.75), strict=True)]
        return await self.patch("opportunities", deal, splits=splits)

    async def lines_edited(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        return await self.patch("opportunities", deal, line_items=self._deal()["line_items"])

    async def deal_deleted(self) -> bool | None:
        if (deal := self.a_deal()) is None:
            return False
        await self.world.delete("opportunities", deal)
        self.deleted.append(("opportunities", deal, self.deals.pop(deal)))
        return None

    async def deal_corrected(self) -> bool | None:
        """Its past is told otherwise."""
        deals = [key for key in self.deals if key.startswith("t:")]
        if not deals:
            return False
        deal = self.dice.choice(deals)
        told = self.dice.choice(
            [{"amount": self.amount()}, {"owner_id": self.seller()}, {"stage_id": f"t:{self.deals[deal]}"}]
        )
        history = [{"at": self.moment(60), **told}]
        return await self.world.put("opportunities", {"external_id": deal[2:], **told, "history": history})  # type: ignore[return-value]

    async def restored(self) -> bool | None:
        if not self.deleted:
            return False
        noun, reference, state = self.deleted.pop(self.dice.randrange(len(self.deleted)))
        await self.restore(noun, reference)
        if noun == "opportunities":
            self.deals[reference] = str(state)
        elif noun == "leads":
            self.leads[reference] = str(state)
        else:
            self.activities.append(reference)
        return None

    # --- leads -------------------------------------------------------------------------------------------------------

    async def lead_received(self) -> None:
        key = self.name("l")
        await self.push("leads", {
            "external_id": key, "name": key, "company": key, "industry": self.dice.choice(["retail", "energy"]),
            "owner_id": self.seller() if self.chance(0.7) else None, "lead_source": self.dice.choice(["web", "fair"]),
            "received_at": self.moment(10) if self.chance(0.9) else None,
        })  # fmt: skip
        self.leads[f"t:{key}"] = "new"

    async def lead_answered(self) -> bool | None:
        if (lead := self.a_lead("new", "qualified")) is None:
            return False
        return await self.patch("leads", lead, first_response_at=self.moment(2))

    async def lead_qualified(self) -> bool | None:
        if (lead := self.a_lead("new", "disqualified")) is None:
            return False
        self.leads[lead] = "qualified"
        told = {"qualified_at": self.moment(20)} if self.chance(0.3) else {}
        return await self.act("leads", "qualify", lead, **told)

    async def lead_disqualified(self) -> bool | None:
        if (lead := self.a_lead("new", "qualified")) is None:
            return False
        self.leads[lead] = "disqualified"
        return await self.patch("leads", lead, status="disqualified")

    async def lead_converted(self) -> bool | None:
        if (lead := self.a_lead("new", "qualified")) is None:
            return False
        self.leads[lead] = "converted"
        # Its moment is the caller's: without one it would be that of the process.
        told: Row = {"create_opportunity": True, "amount": 100}
        deal = self.a_deal(*OPEN)
        if self.chance(0.7) and deal and not deal.startswith("t:"):
            told = {"opportunity_id": deal}
        elif self.chance(0.2):
            told = {}
        return await self.act("leads", "convert", lead, **told, converted_at=self.moment(2))

    async def lead_reassigned(self) -> bool | None:
        if (lead := self.a_lead("new", "qualified", "converted")) is None:
            return False
        return await self.patch("leads", lead, owner_id=self.seller())

    async def lead_deleted(self) -> bool | None:
        if (lead := self.a_lead("new", "qualified", "disqualified")) is None:
            return False
        await self.world.delete("leads", lead)
        self.deleted.append(("leads", lead, self.leads.pop(lead)))
        return None

    # --- activities --------------------------------------------------------------------------------------------------

    def _activity(self) -> Row:
        done = self.chance(0.8)
        at = self.moment(20) if done else f"{self.day(0, 10)}T10:00:00Z"
        return {
            "kind": self.dice.choice(["call", "call", "meeting", "email"]),
            "purpose": self.dice.choice(["selling", "prospecting", "preparation", "coaching", "admin"]),
            "done": done, "occurred_at": at if self.chance(0.9) else None,
            "duration_seconds": self.dice.choice([None, 60, 1800, 7200, 20_000]),
            "outcome": self.dice.choice([None, "connected", "voicemail"]),
            "owner_id": f"t:{self.dice.choice([*self.sellers, 'm1', 'm2'])}" if self.chance(0.95) else None,
            "opportunity_id": self.a_deal(),
        }  # fmt: skip

    async def activity_logged(self) -> None:
        self.activities.append(await self.create("activities", self._activity()))

    async def activity_edited(self) -> bool | None:
        if not self.activities:
            return False
        told = self._activity()
        names = self.dice.sample(sorted(told), 3)
        return await self.patch(
            "activities", self.dice.choice(self.activities), **{name: told[name] for name in names}
        )

    async def activity_deleted(self) -> bool | None:
        if not self.activities:
            return False
        activity = self.activities.pop(self.dice.randrange(len(self.activities)))
        await self.world.delete("activities", activity)
        self.deleted.append(("activities", activity, None))
        return None

    # --- what is expected, and in which money ------------------------------------------------------------------------

    async def quota_set(self) -> None:
        key, (holder, whose) = self.name("q"), self.dice.choice([
            *(("rep_id", x) for x in (*self.sellers, "m1", "head")), ("team_id", "red"), ("territory_id", "west"),
        ])  # fmt: skip
        row = {
            holder: f"t:{whose}", "period": self.dice.choice(["2025-Q1", "2025-Q2", "2025", "2025-03"]),
            "amount": self.dice.randint(1, 90) * 100, "currency": self.dice.choice(["USD", "USD", "EUR"]),
        }  # fmt: skip
        if any(
            q[0] == (holder, whose) and q[1] == row["period"] for q in map(self._held, self.quotas.values())
        ):
            return
        await self.push("quotas", {"external_id": key, **row})
        self.quotas[f"t:{key}"] = row

    @staticmethod
    def _held(quota: Row) -> tuple[tuple[str, str], str]:
        [(name, whose)] = [(n, x[2:]) for n, x in quota.items() if n.endswith("_id")]
        return (name, whose), quota["period"]

    async def quota_changed(self) -> None:
        key = self.dice.choice([*self.quotas])
        first = {"2025-Q2": "2025-04-", "2025-03": "2025-03-"}.get(self.quotas[key]["period"], "2025-02-")
        version = {
            "effective_from": f"{first}{self.dice.randint(10, 25)}",
            "amount": self.dice.randint(1, 90) * 100,
        }
        told = self.dice.choice([{"amount": version["amount"]}, {"versions": [version]}, {"versions": []}])
        await self.patch("quotas", key, **told)

    async def quota_deleted(self) -> bool | None:
        if len(self.quotas) < 4:
            return False
        key = self.dice.choice([*self.quotas])
        del self.quotas[key]
        return await self.world.delete("quotas", key)  # type: ignore[func-returns-value]

    async def relief_asked(self) -> None:
        size = self.dice.choice([{"share": 1}, {"share": 0.25}, {"amount": 150, "currency": "EUR"}])
        first = self.today.date() + timedelta(days=self.dice.randint(-40, 10))
        made = await self.create("quota_reliefs", {
            "rep_id": f"t:{self.dice.choice([*self.sellers, 'm1'])}", "reason": "leave", **size,
            "starts_on": first.isoformat(), "ends_on": (first + timedelta(days=self.dice.randint(1, 60))).isoformat(),
        })  # fmt: skip
        self.reliefs[made] = "requested"

    async def relief_decided(self) -> bool | None:
        if not self.reliefs:
            return False
        relief = self.dice.choice([*self.reliefs])
        self.reliefs[relief] = "rejected" if self.reliefs[relief] == "approved" else "approved"
        told = {"at": self.moment(20)} if self.chance(0.3) else {}
        verb = {"approved": "approve", "rejected": "reject"}[self.reliefs[relief]]
        return await self.act("quota_reliefs", verb, relief, **told)

    async def relief_changed(self) -> bool | None:
        if not self.reliefs:
            return False
        relief = self.dice.choice([*self.reliefs])
        await self.patch("quota_reliefs", relief, share=self.dice.randint(1, 10**6) / 10**6, amount=None)
        self.reliefs[relief] = "approved"
        return await self.act("quota_reliefs", "approve", relief)

    async def relief_deleted(self) -> bool | None:
        if len(self.reliefs) < 4:
            return False
        relief = self.dice.choice([*self.reliefs])
        del self.reliefs[relief]
        return await self.world.delete("quota_reliefs", relief)  # type: ignore[func-returns-value]

    async def calendar_told(self) -> None:
        """When people work, and later otherwise."""
        off = [{"day": self.day(20, 20), "name": "off", "share": self.dice.choice([1, 0.5])}]
        row = {
            "name": "Usual",
            "is_default": True,
            "friday_hours": self.dice.choice([0, 6, 8]),
            "holidays": off,
        }
        await self.push("working_calendars", {"external_id": "usual", **row})

    async def rate_of_a_day(self, day: str | None = None) -> None:
        day = day or self.day(3, 0)
        self.rates[f"eur{day}"] = {
            "external_id": f"eur{day}", "from_currency": "EUR", "to_currency": "USD", "on_day": day,
            "rate": self.dice.randint(9000, 12_000) / 10_000,
        }  # fmt: skip
        await self.push("exchange_rates", self.rates[f"eur{day}"])

    async def rate_of_an_old_day(self) -> None:
        await self.rate_of_a_day(self.day(80, 0))

    async def rate_deleted(self) -> bool | None:
        if len(self.rates) < 3:
            return False
        key = self.dice.choice([*self.rates])
        del self.rates[key]
        return await self.world.delete("exchange_rates", f"t:{key}")  # type: ignore[func-returns-value]

    async def first_rate_of_a_currency(self) -> bool | None:
        if "jpy" in self.rates:
            return False
        self.rates["jpy"] = {
            "external_id": "jpy", "from_currency": "USD", "to_currency": "JPY", "on_day": self.day(60, 0), "rate": 150,
        }  # fmt: skip
        return await self.push("exchange_rates", self.rates["jpy"])  # type: ignore[func-returns-value]

    # --- the organisation --------------------------------------------------------------------------------------------

    async def rep_hired(self) -> None:
        key = self.name("s")
        await self.push("reps", {
            "external_id": key, "name": key, "manager_id": self.dice.choice(["t:m1", "t:m2"]), "team_id": "t:red",
            "hired_on": self.day(10, 5) if self.chance(0.8) else None,
            "function": self.dice.choice(["field", "inside"]),
        })  # fmt: skip
        self.sellers.append(key)

    async def rep_left(self) -> bool | None:
        if len(self.sellers) < 4:
            return False
        rep = self.sellers.pop(self.dice.randrange(len(self.sellers)))
        told = self.dice.choice([{"left_on": self.day(10, 10)}, {"status": "inactive"}])
        return await self.patch("reps", f"t:{rep}", **told)

    async def rep_moved(self) -> None:
        told = {
            "team_id": self.dice.choice(["t:red", "t:blue", None]),
            "territory_id": self.dice.choice(["t:east", None]),
        }
        await self.patch("reps", self.seller(), **told)

    async def manager_reassigned(self) -> None:
        rep = f"t:{self.dice.choice(self.sellers)}"
        told = {"at": self.moment(30)} if self.chance(0.3) else {}
        await self.act(
            "reps", "reassign_manager", rep, manager_id=self.dice.choice(["t:m1", "t:m2", "t:head"]), **told
        )

    async def manager_moved(self) -> None:
        await self.act(
            "reps", "reassign_manager", "t:m2", manager_id=self.dice.choice(["t:m1", "t:head", None])
        )

    async def team_renamed(self) -> None:
        team = self.dice.choice(["red", "blue"])
        await self.patch("teams", f"t:{team}", name=self.name(team))

    async def stage_changed(self) -> None:
        told = self.dice.choice([
            {"name": self.name("stage ")}, {"probability": self.dice.choice([0.2, 0.5, None])},
            {"forecast_category": self.dice.choice(["commit", "best_case", None])},
            {"position": self.dice.randint(0, 2)},
        ])  # fmt: skip
        await self.patch("stages", f"t:{self.dice.choice(OPEN)}", **told)

    async def product_moved(self) -> None:
        await self.patch(
            "products",
            f"t:{self.dice.choice(['p1', 'p2'])}",
            family=self.name("f"),
            cost=self.dice.randint(30, 50),
        )

    async def account_edited(self) -> None:
        told = self.dice.choice([{"industry": "energy"}, {"country": "Spain"}, {"segment": "smb"}])
        await self.patch("accounts", f"t:{self.dice.choice(self.accounts)}", **told)

    async def accounts_merged(self) -> bool | None:
        if len(self.accounts) < 4:
            return False
        survivor, duplicate = self.dice.sample(self.accounts, 2)
        self.accounts.remove(duplicate)
        return await self.act("accounts", "merge", f"t:{survivor}", duplicate_ids=[f"t:{duplicate}"])


EVENTS = {
    "deal_created": 6, "deal_pushed": 4, "deal_imported": 2, "deal_repriced": 6, "deal_edited": 6,
    "deal_weighed": 3, "deal_moved": 8, "deal_won": 8, "deal_lost": 5, "deal_reopened": 4, "deal_reassigned": 4,
    "deal_split": 2, "deal_put_off": 6, "lines_edited": 4, "deal_deleted": 3, "deal_corrected": 3, "restored": 4,
    "lead_received": 6, "lead_answered": 4, "lead_qualified": 4, "lead_disqualified": 2, "lead_converted": 3,
    "lead_reassigned": 2, "lead_deleted": 2, "activity_logged": 8, "activity_edited": 5, "activity_deleted": 2,
    "quota_set": 3, "quota_changed": 3, "quota_deleted": 1, "relief_asked": 2, "relief_decided": 4,
    "relief_changed": 2, "relief_deleted": 1, "calendar_told": 1, "rate_of_a_day": 3, "rate_of_an_old_day": 1,
    "rate_deleted": 1, "first_rate_of_a_currency": 1, "rep_hired": 2, "rep_left": 1, "rep_moved": 3,
    "manager_reassigned": 3, "manager_moved": 1, "team_renamed": 1, "stage_changed": 2, "product_moved": 1,
    "account_edited": 2, "accounts_merged": 2,
}  # fmt: skip
"""What can happen on a day, and how often beside the others."""
