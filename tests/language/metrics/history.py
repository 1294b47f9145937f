"""Random companies: the same past as a `Model` and as rows for the one write path."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from app.ground.fiscal import WEEKDAYS
from tests.language.metrics.model import (
    CATEGORY,
    HOURS_A_DAY,
    ZONE,
    Deal,
    Line,
    Model,
    Product,
    Quota,
    Relief,
    Row,
    Week,
    midnight,
)
from tests.language.metrics.world import World

SELLERS = ("s1", "s2", "s3", "s4")
STAGES = (
    ("new", "open", 0.1, None),
    ("talk", "open", 0.4, "best_case"),
    ("won", "won", 1, None),
    ("lost", "lost", 0, None),
    ("gone", "abandoned", 0, None),
)
FIRST, LAST, LONG_AGO = midnight(date(2024, 7, 1)), midnight(date(2025, 12, 20)), midnight(date(2020, 1, 1))


def invent(seed: int, loaded: datetime, many: int = 40) -> Model:
    """`loaded` stands for the moment of the first load, from which deals without a past exist."""
    dice = random.Random(seed)

    def moment(since: datetime = FIRST) -> datetime:
        span = int((LAST - since).total_seconds())
        found = since + timedelta(seconds=dice.randrange(max(span, 60)))
        # Midnights are where half-open intervals are decided.
        return midnight(found.astimezone(ZONE).date()) if dice.random() < 0.25 and since == FIRST else found

    def somewhere() -> Row:
        return {"team": dice.choice(["red", "blue", None]), "territory": dice.choice(["east", "west", None])}

    places = {"head": [(LONG_AGO, {"manager": None, **somewhere()})]}
    for rep, above in (("m1", "head"), ("m2", "head"), *((s, dice.choice(["m1", "m2"])) for s in SELLERS)):
        points = [(LONG_AGO, {"manager": above, **somewhere()})]
        for _ in range(dice.choice([0, 0, 1, 2])):
            managers = ["head", "m1", "m2"] if rep in SELLERS else ["head"]
            points.append((moment(), {"manager": dice.choice(managers), **somewhere()}))
        places[rep] = sorted(points, key=lambda p: p[0])
    accounts: dict[str, Row] = {
        f"a{i}": {
            "industry": dice.choice(["retail", "energy", None]),
            "tier": dice.choice(["gold", "iron", None]),
        }
        for i in range(4)
    }
    rates: dict[tuple[str, str], list[tuple[date, Fraction]]] = {("EUR", "USD"): [], ("USD", "JPY"): []}
    for month in range(1, 19):
        if dice.random() < 0.6:
            day = date(2024 + (month + 7) // 12, (month + 7) % 12 + 1, dice.randint(1, 28))
            rates["EUR", "USD"].append((day, Fraction(dice.randint(9000, 12000), 10_000)))
        if month > 7 and dice.random() < 0.5:
            day = date(2024 + (month + 7) // 12, (month + 7) % 12 + 1, dice.randint(1, 28))
            rates["USD", "JPY"].append((day, Fraction(dice.randint(140_00, 160_00), 100)))
    products = {
        "p1": _product(dice, "f1", moment), "p2": _product(dice, "f2", moment), "p3": _product(dice, "f1", moment),
        "p4": _product(dice, None, moment),
    }  # fmt: skip
    deals = [_deal(dice, f"d{i}", moment, loaded) for i in range(many)]
    quotas = list(_quotas(dice))
    weeks = {rep: some_week(dice) for rep in (*SELLERS, "m1") if dice.random() < 0.5}
    usual = some_week(dice) if dice.random() < 0.5 else None
    reliefs = [_relief(dice, moment) for _ in range(14)]
    return Model(places, accounts, products, rates, deals, quotas, reliefs, weeks, usual)


def some_week(dice: random.Random) -> Week:
    shares = [Fraction(1), Fraction(1, 2), Fraction("0.123457")]
    off = {date(2025, 1, 1) + timedelta(days=dice.randrange(365)): dice.choice(shares) for _ in range(12)}
    return Week(dice.choice([frozenset(range(5)), frozenset([6, 0, 1, 2, 3]), frozenset([0, 2])]), off)


def _relief(dice: random.Random, moment: Any) -> Relief:
    first = date(2025, 1, 1) + timedelta(days=dice.randrange(-10, 350))
    states = [(LONG_AGO, "requested")]
    if dice.random() < 0.85:
        states.append((moment(), dice.choice(["approved"] * 4 + ["rejected"])))
    found = Relief(
        dice.choice([*SELLERS, "m1", "head"]), first, first + timedelta(days=dice.choice([1, 2, 5, 9, 31, 120])),
        *dice.choice([(Fraction(1), None), (Fraction("0.333333"), None), (None, Fraction(dice.randint(0, 4000), 4))]),
        dice.choice(["USD", "EUR", "JPY"]), states,
    )  # fmt: skip
    if dice.random() < 0.3:
        at = moment(states[-1][0] + timedelta(seconds=1)) if len(states) > 1 else moment()
        found.told_later.append((at, "rejected" if states[-1][1] == "approved" else "approved"))
    found.deleted = dice.random() < 0.1
    return found


def _product(dice: random.Random, family: str | None, moment: Any) -> Product:
    def cost() -> Fraction | None:
        return None if dice.random() < 0.2 else Fraction(dice.randint(0, 900), 4)

    changes = [(moment(), cost()) for _ in range(dice.choice([0, 1, 2, 3]))]
    costs = [(LONG_AGO, cost()), *dict(sorted(changes, key=lambda change: change[0])).items()]
    return Product(family, dice.choice(["USD", "EUR", "JPY", "GBP", None]), costs)


def _splits(dice: random.Random) -> list[tuple[str, Fraction, str]]:
    """Shares of the revenue sum to 1; overlays may be anything, also of somebody who has a share as well."""
    reps = dice.sample([*SELLERS, "m1", "m2"], 3)
    shares = dice.choice([[], [], [100], [60, 40], [33, 33, 34], [5, 70, 25]])
    revenue = [(rep, Fraction(share, 100), "revenue") for rep, share in zip(reps, shares, strict=False)]
    overlay = [(rep, Fraction(dice.randint(1, 100), 100), "overlay") for rep in dice.sample(SELLERS, 2)]
    return revenue + overlay[: dice.choice([0, 0, 1, 2])]


def _line(dice: random.Random) -> Line:
    amount = None if dice.random() < 0.1 else Fraction(dice.randint(0, 500))
    price = dice.choice(
        [None, Fraction(0), Fraction(dice.randint(1, 400)), Fraction(dice.randint(1, 400), 2)]
    )
    quantity = dice.choice([Fraction(1), Fraction(2), Fraction(5, 2), Fraction(0)])
    return Line(dice.choice(["p1", "p2", "p3", "p4", None]), amount, quantity, price)


def _deal(dice: random.Random, key: str, moment: Any, loaded: datetime) -> Deal:
    currency = dice.choice(["USD", "USD", "EUR", "JPY", "GBP"])
    lines = [_line(dice) for _ in range(dice.choice([0, 1, 2, 3]))]
    opened = None if dice.random() < 0.12 else moment()
    row: Row = {
        "opened_at": opened, "account": dice.choice(["a0", "a1", "a2", "a3", None]), "currency": currency,
        "type": dice.choice(["new_business", "renewal", None]), "lines": lines,
        "forecast": dice.choice([None, None, "pipeline", "best_case", "most_likely", "commit"]),
        "competitor": dice.choice([None, "Globex", "Initech"]), "channel": dice.choice([None, "field", "partner"]),
        "region": dice.choice([None, "north", "south"]), "splits": _splits(dice),
        "members": dice.sample([*SELLERS, "m1"], dice.choice([0, 0, 1, 2])),
    }  # fmt: skip

    def amount() -> Fraction | None:
        return (
            None
            if dice.random() < 0.1
            else Fraction(dice.choice([0, dice.randint(1, 90_000)]), dice.choice([1, 100]))
        )

    def due() -> date | None:
        return None if dice.random() < 0.2 else date(2025, 1, 1) + timedelta(days=dice.randrange(365))

    def term() -> int | None:
        return dice.choice([None, 1, 6, 7, 12, 24, 36])

    if dice.random() < 0.25:
        return _plain(dice, key, row, {"amount": amount(), "due": due(), "term": term()}, moment, loaded)
    chance = dice.choice([None, None, Fraction(3, 10)])
    points: list[Row] = [
        {"at": opened or moment(), "stage": dice.choice(["new", "talk"]), "amount": amount(),
         "owner": dice.choice([*SELLERS, "m1"]), "due": due(), "chance": chance,
         "term": term()}
    ]  # fmt: skip
    for _ in range(dice.randrange(6)):
        points.append({"at": moment(points[-1]["at"]), **_change(dice, amount, due, term)})
        while "due" in points[-1] and dice.random() < 0.6:
            # On the same day, if it lasts.
            later = points[-1]["at"] + timedelta(minutes=dice.choice([1, 90, 600, 1440]))
            points.append({"at": later, **dice.choice([{"due": due()}, {"due": due(), "owner": "s1"}])})
    deal = Deal(key, row, points)
    if dice.random() < 0.3:
        # Behind all the rest: what a point in between does to those after it is the write path's business.
        deal.told_later.append(
            {"at": moment(points[-1]["at"]) + timedelta(seconds=1), **_change(dice, amount, due, term)}
        )
    deal.deleted = dice.random() < 0.1
    return deal


def _change(dice: random.Random, amount: Any, due: Any, term: Any) -> Row:
    match dice.randrange(7):
        case 0:
            return {"amount": amount()}
        case 1:
            return {"owner": dice.choice([*SELLERS, "m2"])}
        case 2:
            return {"due": due()}
        case 3:
            return {"term": term()}
        case _:
            return {"stage": dice.choice(["new", "talk", "won", "won", "won", "lost", "lost", "gone"])}


class Plain(Deal):
    """Pushed without a past: what is told of earlier moments is inferred."""

    states: list[tuple[datetime, Row]]
    loaded: datetime

    def versions(self, second_load: bool) -> list[tuple[datetime, Row]]:
        return self.states


def _plain(dice: random.Random, key: str, row: Row, told: Row, moment: Any, loaded: datetime) -> Plain:
    stage = dice.choice(["new", "talk", "won", "won", "lost", "gone"])
    closed = None
    if CATEGORY[stage] != "open" and dice.random() < 0.8:
        closed = moment(row["opened_at"] or FIRST)
        if row["opened_at"] and dice.random() < 0.1:
            closed = row["opened_at"] - timedelta(days=3)
    owner = dice.choice(SELLERS)
    terminal = CATEGORY[stage] != "open"
    final: Row = {
        **told, "stage": stage, "owner": owner, "chance": None, "closed_at": closed,
        "credited": owner if terminal else None, "category": CATEGORY[stage],
    }  # fmt: skip
    earlier = {**final, "stage": None, "closed_at": None, "credited": None, "category": "open"}
    opened, known_from = row["opened_at"], closed if terminal else loaded
    deal = Plain(key, row, [])
    deal.loaded = loaded
    if opened is None or known_from is None:
        deal.states = [(loaded, final)]
    elif opened >= known_from:
        deal.states = [(known_from, final)]
    else:
        deal.states = [(opened, earlier), (known_from, final)]
    deal.row["final"] = final
    return deal


def _quotas(dice: random.Random) -> Any:
    for rep in (*SELLERS, "m1", "head"):
        for quarter in range(1, 5):
            if dice.random() < 0.6:
                first = date(2025, quarter * 3 - 2, 1)
                last = date(2025 + quarter // 4, quarter * 3 % 12 + 1, 1)
                yield _quota(dice, ("rep", rep), first, last, f"2025-Q{quarter}")
        if dice.random() < 0.3:
            yield _quota(dice, ("rep", rep), date(2025, 1, 1), date(2026, 1, 1), "2025")
    for holder in (("team", "red"), ("territory", "west")):
        yield _quota(dice, holder, date(2025, 1, 1), date(2026, 1, 1), "2025")


def _quota(dice: random.Random, holder: tuple[str, str], first: date, last: date, period: str) -> Quota:
    versions = {
        first + timedelta(days=dice.randrange((last - first).days)): dice.randint(1, 9) * 1000
        for _ in range(dice.choice([0, 0, 1, 2]))
    }
    return Quota(holder, first, last, dice.randint(1, 9) * 1000, list(versions.items()), period,
                 dice.choice(["USD", "USD", "EUR"]))  # fmt: skip


# --- the same, as rows ------------------------------------------------------------------------------------------------


def _t(key: str | None) -> str | None:
    return f"t:{key}" if key else None


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _told(state: Row) -> Row:
    names = {"stage": "stage_id", "owner": "owner_id", "amount": "amount", "due": "expected_close_on",
             "chance": "probability", "term": "term_months"}  # fmt: skip
    found: Row = {}
    for name, column in names.items():
        if name in state:
            value = state[name]
            if name in ("stage", "owner"):
                value = _t(value)
            elif isinstance(value, Fraction):
                value = _number(value)
            elif isinstance(value, date):
                value = value.isoformat()
            found[column] = value
    return found


async def load_weeks(world: World, weeks: dict[str, Week], usual: Week | None) -> None:
    """Working calendars, called as the reps who go by them."""
    for name, week in (*weeks.items(), *([("usual", usual)] if usual else [])):
        hours = {f"{day}_hours": HOURS_A_DAY if n in week.days else 0 for n, day in enumerate(WEEKDAYS)}
        off = [
            {"day": day.isoformat(), "name": "off", "share": float(share)} for day, share in week.off.items()
        ]
        await world.put("working_calendars", {
            "external_id": name, "name": name, "is_default": week is usual, **hours, "holidays": off,
        })  # fmt: skip


async def load(world: World, model: Model) -> None:
    """The first load."""
    await world.put("teams", *({"external_id": x, "name": x} for x in ("red", "blue")))
    await world.put("territories", *({"external_id": x, "name": x} for x in ("east", "west")))
    await load_weeks(world, model.weeks, model.usual)
    for rep, points in model.places.items():
        steady = {"working_calendar_id": f"t:{rep}"} if rep in model.weeks else {}
        steady |= model.careers.get(rep, {})
        told = [
            {"manager_id": _t(p["manager"]), "team_id": _t(p["team"]), "territory_id": _t(p["territory"])}
            for _, p in points
        ]
        history = [{"at": at.isoformat(), **point} for (at, _), point in zip(points, told, strict=True)]
        await world.put("reps", {
            "external_id": rep, "name": rep, "hired_on": "2020-01-01", **steady, **told[-1], "history": history,
        })  # fmt: skip
    await world.add_field("opportunities", "region")
    await world.add_field("accounts", "tier")
    await world.put(
        "accounts",
        *({"external_id": k, "name": k, "industry": a["industry"], "custom": {"tier": a["tier"]}}
          for k, a in model.accounts.items()),
    )  # fmt: skip
    for name, product in model.products.items():
        costs = [{"at": at.isoformat(), "cost": _number(cost)} for at, cost in product.costs]
        row = {"external_id": name, "name": name, "family": product.family, "currency": product.currency}
        await world.put("products", {**row, "cost": costs[-1]["cost"], "history": costs})
    await world.put("pipelines", {"external_id": "pipe", "name": "pipe", "is_default": True})
    await world.put(
        "stages",
        *({"external_id": name, "name": name, "pipeline_id": "t:pipe", "category": category, "position": i,
           "probability": chance, "forecast_category": forecast}
          for i, (name, category, chance, forecast) in enumerate(STAGES)),
    )  # fmt: skip
    rates = [
        {"external_id": f"{a}{b}{day}", "from_currency": a, "to_currency": b, "on_day": day.isoformat(),
         "rate": float(rate)}
        for (a, b), known in model.rates.items() for day, rate in dict(known).items()
    ]  # fmt: skip
    if rates:
        await world.put("exchange_rates", *rates)
    await world.put("opportunities", *(_row(deal) for deal in model.deals))
    await _note_the_load(world, model)
    await world.put(
        "quotas",
        *({"external_id": f"q{i}", f"{q.holder[0]}_id": _t(q.holder[1]), "period": q.period, "amount": q.amount,
           "currency": q.currency,
           "versions": [{"effective_from": day.isoformat(), "amount": amount} for day, amount in q.versions]}
          for i, q in enumerate(model.quotas)),
    )  # fmt: skip
    await world.put("quota_reliefs", *(
        {"external_id": f"r{i}", "rep_id": _t(x.rep), "reason": "leave", "starts_on": x.first.isoformat(),
         "ends_on": x.last.isoformat(), "share": _number(x.share), "amount": _number(x.amount), "currency": x.currency,
         "state": x.states[-1][1], "history": [{"at": at.isoformat(), "state": state} for at, state in x.states]}
        for i, x in enumerate(model.reliefs)
    ))  # fmt: skip


_LOADED = """
select x.external_id, h.valid_from from external_ids x
join opportunities_history h on h.tenant_id = x.tenant_id and h.record_id = x.record_id
where x.noun = 'opportunities' and h.valid_to = 'infinity' and not h.inferred
"""


async def _note_the_load(world: World, model: Model) -> None:
    """Deals without a past have been where they are since the moment of the load, which only now is known."""
    async with world.company.database.transaction(world.company.id) as session:
        since = {row["external_id"]: row["valid_from"] for row in await session.connection.fetch(_LOADED)}
    for deal in model.deals:
        if isinstance(deal, Plain):
            *earlier, (at, state) = deal.states
            if at == deal.loaded:
                deal.states = [*earlier, (since[deal.key], state)]


def _row(deal: Deal) -> Row:
    row: Row = {
        "external_id": deal.key, "name": deal.key, "account_id": _t(deal.row["account"]),
        "currency": deal.row["currency"], "type": deal.row["type"], "forecast_category": deal.row["forecast"],
        "competitor": deal.row["competitor"], "sales_channel": deal.row["channel"],
        "opened_at": deal.row["opened_at"].isoformat() if deal.row["opened_at"] else None,
        "custom": {"region": deal.row["region"]},
        "splits": [
            {"rep_id": _t(rep), "share": float(share), "kind": kind} for rep, share, kind in deal.row["splits"]
        ],
        "team": [{"rep_id": _t(rep)} for rep in deal.row["members"]],
        "line_items": [
            {"product_id": _t(line.product), "amount": _number(line.amount), "position": i,
             "quantity": _number(line.quantity), "list_price": _number(line.price)}
            for i, line in enumerate(deal.row["lines"])
        ],
    }  # fmt: skip
    if isinstance(deal, Plain):
        final = deal.row["final"]
        closed = final["closed_at"].isoformat() if final["closed_at"] else None
        return row | _told(final) | {"closed_at": closed}
    _, last = deal.versions(False)[-1]
    return (
        row
        | _told(last)
        | {"history": [{"at": p["at"].isoformat(), **_told(p)} for p in _merged(deal.points)]}
    )


def _merged(points: list[Row]) -> list[Row]:
    """Points of one moment as one, the later given on top."""
    found: dict[datetime, Row] = {}
    for point in points:
        found[point["at"]] = {**found.get(point["at"], {}), **point}
    return list(found.values())


async def load_again(world: World, model: Model) -> None:
    """What we were told later about the past, and the deletions."""
    for deal in model.deals:
        if deal.told_later:
            _, last = deal.versions(True)[-1]
            history = [{"at": p["at"].isoformat(), **_told(p)} for p in _merged(deal.told_later)]
            await world.put("opportunities", {"external_id": deal.key, **_told(last), "history": history})
    for i, relief in enumerate(model.reliefs):
        for at, state in relief.told_later:
            history = [{"at": at.isoformat(), "state": state}]
            await world.put("quota_reliefs", {"external_id": f"r{i}", "state": state, "history": history})
        if relief.deleted:
            await world.delete("quota_reliefs", f"t:r{i}")
    for deal in model.deals:
        if deal.deleted:
            await world.delete("opportunities", f"t:{deal.key}")
