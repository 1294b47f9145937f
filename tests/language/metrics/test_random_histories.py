"""Every number over random pasts, against plain loops: values, counts, reasons, and the rows that explain them."""

from __future__ import annotations

import itertools
import os
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.sales.pipeline import metrics as pipeline
from app.sales.targets import attainable
from app.sales.targets import metrics as targets
from tests.language.metrics.explained import explained
from tests.language.metrics.history import SELLERS, invent, load, load_again
from tests.language.metrics.model import (
    CHANCE,
    NEVER,
    WHAT,
    Answers,
    Cell,
    Cells,
    Deal,
    Line,
    Model,
    Question,
    Row,
    Step,
    forecast,
    midnight,
)
from tests.language.metrics.world import World, new_world

Number = Callable[[Fraction | None], Fraction | str] | None
DEALS_BY = (
    "rep", "manager", "team", "territory", "product", "product_family", "industry", "type", "stage", "currency",
    "competitor", "sales_channel", "forecast_category", "manager_level_1", "manager_level_2", "manager_level_3",
    "custom.region", "account.custom.tier",
)  # fmt: skip
OF_LINES = ["units_sold", "discount_rate", "gross_margin", "cross_sell_share", "upsell_share"]
"""Seldom defined where deals are few, so these are asked oftener, and of more."""
OF_DAYS = ["acv", "first_year_value", "push_count", "revenue_per_rep"]
"""So are what hangs on a term, and what happens on one day of many."""
COUNTED_BY = {
    "discount_rate": "list", "gross_margin": "net", "cross_sell_share": "bookings", "upsell_share": "bookings",
    "push_count": "pushes",
}  # fmt: skip
"""The part that says how many were counted, and how many not."""
QUOTA_BY = ("rep", "manager", "team", "territory", "manager_level_1", "manager_level_2", "manager_level_3")
ROUNDS = 45
LIVES = int(os.environ.get("ATTAIN_TEST_HISTORIES", "2"))
"""How many pasts for most numbers; for each four, and for fewer, one of line items and one of terms come on top."""
OTHERS = {f"{name}_attainment" for name in attainable.OTHERS}
METRICS = [m.name for m in (*pipeline.METRICS, *targets.METRICS) if m.name not in ("ramp_time", *OTHERS)]


def count(deal: Deal, state: Row) -> Number:
    return None


def money(deal: Deal, state: Row) -> Number:
    return lambda amount: "no_amount" if state["amount"] is None else amount  # type: ignore[return-value]


def sized(deal: Deal, state: Row) -> Number:
    return lambda a: "no_amount" if state["amount"] is None else "zero_amount" if state["amount"] == 0 else a  # type: ignore[return-value]


def weighted(deal: Deal, state: Row) -> Number:
    chance = state["chance"] if state["chance"] is not None else CHANCE.get(state["stage"])

    def number(amount: Fraction | None) -> Fraction | str:
        if state["amount"] is None:
            return "no_amount"
        return "no_probability" if chance is None else (amount or Fraction(0)) * chance

    return number


def of_the_term(months: Callable[[int], int]) -> Callable[[Deal, Row], Number]:
    """The share of the amount that so many months of the term have."""

    def number(deal: Deal, state: Row) -> Number:
        term = state["term"]
        if state["amount"] is None or term is None:
            return lambda _: "no_amount" if state["amount"] is None else "no_term"
        return lambda amount: (amount or Fraction(0)) * months(term) / term

    return number


def cycle(deal: Deal, state: Row) -> Number:
    opened = deal.row["opened_at"]
    if opened is None:
        return lambda _: "no_open_date"
    if state["closed_at"] < opened:
        return lambda _: "negative_cycle"
    return lambda _: Fraction((state["closed_at"] - opened) // timedelta(microseconds=1), 86_400_000_000)


def outcome(category: str) -> Callable[[Deal, Row], Number]:
    return lambda deal, state: None if state["category"] == category else (lambda _: "left out")


def is_(*categories: str) -> Callable[[Row], bool]:
    return lambda state: state["category"] in categories


CLOSED = ("won", "lost", "abandoned")


def decided(deal: Deal, state: Row) -> Number:
    return (lambda _: "abandoned") if state["category"] == "abandoned" else None


def decided_money(deal: Deal, state: Row) -> Number:
    if state["amount"] is None:
        return lambda _: "no_amount"
    return (lambda _: "abandoned") if state["category"] == "abandoned" else money(deal, state)


def of_type(wanted: str) -> Callable[[Deal, Row], Number]:
    return lambda deal, state: money(deal, state) if deal.row["type"] == wanted else (lambda _: "left out")


def contested(number: Callable[[Deal, Row], Number]) -> Callable[[Deal, Row], Number]:
    return lambda deal, state: number(deal, state) if deal.row["competitor"] else (lambda _: "left out")


def in_category(wanted: str) -> Callable[[Deal, Row], Number]:
    def number(deal: Deal, state: Row) -> Number:
        category = forecast(deal, state)
        if category not in (wanted, None):
            return lambda _: "left out"
        if state["amount"] is None or category is not None:
            return money(deal, state)
        return lambda _: "no_forecast_category"

    return number


def first_win(a: Answers) -> Callable[[Deal, Row], Number]:
    wins = a.wins()

    def number(deal: Deal, state: Row) -> Number:
        if deal.row["account"] is None:
            return lambda _: "no_account"
        # One that closed nobody knows when may have been the first.
        earlier = [
            win
            for at, win in wins.get(deal.row["account"], [])[:1]
            if win is not deal and at < state["closed_at"]
        ]
        return (lambda _: "left out") if earlier and state["closed_at"] != NEVER else None

    return number


def of_line(wanted: Callable[[Deal, Row, Line], Fraction | str]) -> Any:
    return lambda deal, state, line: wanted(deal, state, line) if line else "no_lines"


def listed(wanted: Callable[[Fraction, Fraction], Fraction]) -> Any:
    def number(deal: Deal, state: Row, line: Line) -> Fraction | str:
        if line.amount is None:
            return "no_amount"
        if not line.price or not line.quantity:
            return "no_list_price"
        return wanted(line.price * line.quantity, line.amount)

    return of_line(number)


def margin(a: Answers) -> dict[str, Cells]:
    def net(deal: Deal, state: Row, line: Line) -> Fraction | str:
        if line.amount is None:
            return "no_amount"
        return "no_cost" if a.cost(state, line) is None else line.amount

    def cost(deal: Deal, state: Row, line: Line | None) -> Fraction | str:
        found = a.cost(state, line)
        return "left out" if found is None or line is None or line.amount is None else found

    def both(deal: Deal, state: Row, line: Line | None) -> list[str]:
        product = line.product if line else None
        return [deal.row["currency"], (a.model.products[product].currency if product else None) or "USD"]

    return {"net": a.sold(of_line(net), both), "cost": a.sold(cost, lambda *of: both(*of)[::-1])}


def expanded(a: Answers, before: bool) -> Cells:
    """Lines of families that the account had bought before, or not, where it had bought anything."""
    wins = a.wins()

    def family(line: Line | None) -> str | None:
        return a.model.products[line.product].family if line and line.product else None

    def number(deal: Deal, state: Row, line: Line | None) -> Fraction | str:
        closed = state["closed_at"]
        earlier = [win for at, win in wins.get(deal.row["account"], []) if closed and at < closed]
        bought = {family(x) for win in earlier for x in win.row["lines"]}
        fits = bool(earlier) and family(line) is not None and (family(line) in bought) is before
        if not fits or deal.row["type"] == "renewal" or state["amount"] is None or line is None:
            return "left out"
        return "left out" if line.amount is None else line.amount

    return a.sold(number, lambda deal, state, line: [deal.row["currency"]])


def parts_of(metric: str, a: Answers) -> dict[str, Cells]:
    """The sums that a metric is made of, each by its own loop."""

    def closed(wanted: Any, number: Any, *, priced: bool = False, **window: Any) -> Cells:
        return a.flow("closed_at", is_(*wanted), "no_close_date", number, money=priced, **window)

    def opened(number: Any, *, priced: bool = False) -> Cells:
        return a.flow("opened_at", lambda _: True, "no_open_date", number, money=priced)

    trailing = {"at_end": True, "trailing": True}
    if metric in ("stage_conversion", "funnel"):
        return {name: a.steps(wanted) for name, wanted in STEPS.items()}
    match metric:
        case "slippage_rate":
            return {name: a.due(wanted) for name, wanted in DUE.items()} | {
                "pulled_in": a.due(lambda _, end, *__: end["category"] == "won", later=True)
            }
        case "bookings_growth":
            before = parts_of(
                "bookings", Answers(a.model, replace(a.q, buckets=[*map(a.preceding, a.q.buckets or [])]))
            )
            return {**parts_of("bookings", a), "before": before["bookings"]}
        case "bookings":
            return {"bookings": closed(["won"], money, priced=True)}
        case "acv":
            return {"acv": closed(["won"], of_the_term(lambda term: 12), priced=True)}
        case "first_year_value":
            return {"first": closed(["won"], of_the_term(lambda term: min(term, 12)), priced=True)}
        case "push_count":
            return {name: a.pushes(worth) for name, worth in PUSHED.items()}
        case "revenue_per_rep":
            return {"bookings": closed(["won"], money, priced=True), "average_reps": a.carriers()}
        case "won_deals":
            return {"won_deals": closed(["won"], count)}
        case "new_customers":
            return {"new_customers": closed(["won"], first_win(a))}
        case "units_sold":
            return {"units_sold": a.sold(of_line(lambda deal, state, line: line.quantity))}
        case "discount_rate":
            own: Any = lambda deal, state, line: [deal.row["currency"]]  # noqa: E731
            return {
                "discount": a.sold(listed(lambda list_, net: list_ - net), own),
                "list": a.sold(listed(lambda list_, net: list_), own),
                "each": a.sold(listed(lambda list_, net: 1 - net / list_)),
            }
        case "gross_margin":
            return margin(a)
        case "cross_sell_share" | "upsell_share":
            sold = expanded(a, before=metric == "upsell_share")
            return {"sold": sold, "bookings": closed(["won"], money, priced=True)}
        case "lost_deals":
            return {"lost_deals": closed(["lost"], count)}
        case "lost_amount":
            return {"lost_amount": closed(["lost"], money, priced=True)}
        case "new_business_share":
            new = closed(["won"], of_type("new_business"), priced=True)
            return {"new": new, "bookings": closed(["won"], money, priced=True)}
        case "win_rate":
            return {"won": closed(["won"], count), "closed": closed(CLOSED, decided)}
        case "win_rate_value":
            return {
                "won": closed(["won"], money, priced=True),
                "closed": closed(CLOSED, decided_money, priced=True),
            }
        case "competitive_win_rate":
            return {"won": closed(["won"], contested(count)), "closed": closed(CLOSED, contested(decided))}
        case "realised_velocity":
            return {"bookings": closed(["won"], money, priced=True), "cycles": closed(["won"], cycle)}
        case "average_deal_size" | "median_deal_size":
            return {"deals": closed(["won"], sized, priced=True)}
        case "sales_cycle" | "sales_cycle_median":
            return {"cycles": closed(["won"], cycle)}
        case "close_rate":
            return {
                "won": opened(outcome("won")), "open": opened(outcome("open")), "created": opened(count),
            }  # fmt: skip
        case "pipeline_created":
            return {"pipeline_created": created(a)}
        case "stage_age":
            return {"ages": a.open(count, money=False, by_moment=a.age)}
        case "stalled_deals":
            return {"stalled": a.open(count, money=False, by_moment=a.stalled)}
        case "open_deals":
            return {"open_deals": a.open(count, money=False)}
        case "open_pipeline":
            return {"open_pipeline": a.open(money, money=True)}
        case "weighted_pipeline":
            return {"weighted_pipeline": a.open(weighted, money=True)}
        case "commit_pipeline":
            return {"own": a.open(in_category("commit"), money=True)}
        case "most_likely_pipeline":
            return {"own": a.open(in_category("most_likely"), money=True)}
        case "best_case_pipeline":
            return {"own": a.open(in_category("best_case"), money=True)}
        case "pipeline_velocity":
            return {
                "open": a.open(count, money=False),
                "won": closed(["won"], count, **trailing),
                "closed": closed(CLOSED, decided, **trailing),
                "sized": closed(["won"], sized, priced=True, **trailing),
                "cycles": closed(["won"], cycle, **trailing),
            }
        case "quota":
            return {"quota": a.quota(), "relief": a.relief()}
        case "quota_attainment_to_date":
            return {
                "bookings": closed(["won"], money, priced=True), "quota": a.quota(), "due": a.due_of_quota(),
            }  # fmt: skip
        case "pacing":
            return {
                "bookings": closed(["won"], money, priced=True), "quota": a.quota(), "days": a.days_of_quota(),
                "begun": a.days_begun(),
            }  # fmt: skip
        case "quota_relief":
            return {"relief": a.relief(), "quota": a.quota()}
        case "quota_attainment" | "quota_gap" | "quota_participation" | "attainment_bands":
            return {"bookings": closed(["won"], money, priced=True), "quota": a.quota(), "relief": a.relief()}
        case "pipeline_coverage":
            return {
                "due": a.open(money, money=True, due=True),
                "bookings": closed(["won"], money, priced=True, at_end=True),
                "quota": a.quota(),
                "won": closed(["won"], count, **trailing),
                "closed": closed(CLOSED, decided, **trailing),
            }
    raise AssertionError(metric)


def stayed(step: Step) -> Fraction | None:
    if step.passed is None or step.left_out:
        return None
    return Fraction((step.passed - step.reached) // timedelta(microseconds=1), 86_400_000_000)


def counts(wanted: Callable[[Step], bool]) -> Callable[[Step], Fraction | None]:
    return lambda step: Fraction(1) if wanted(step) else None


def slipped(state: Row, end: Row, last: date, over: bool) -> bool:
    return end["category"] == "open" and (over or end["due"] is None or end["due"] >= last)


DUE: dict[str, Callable[[Row, Row, date, bool], bool]] = {
    "due": lambda *_: True,
    "slipped": slipped,
    "won": lambda _, end, *__: end["category"] == "won",
    "lost": lambda _, end, *__: end["category"] in ("lost", "abandoned"),
    "pending": lambda state, end, *rest: end["category"] == "open" and not slipped(state, end, *rest),
}
PUSHED: dict[str, Callable[[date, date, bool], Fraction | None]] = {
    "pushes": lambda *_: Fraction(1),
    "pushed_deals": lambda was, due, first: Fraction(1) if first else None,
    "slips": lambda was, due, first: Fraction(1) if (was.year, was.month) != (due.year, due.month) else None,
    "quarter_slips": lambda was, due, _: (
        Fraction(1) if (was.month - 1) // 3 != (due.month - 1) // 3 else None
    ),
    "days": lambda was, due, first: Fraction((due - was).days),
}
STEPS: dict[str, Callable[[Step], Fraction | None]] = {
    "entered": counts(lambda _: True),
    "advanced": counts(lambda step: step.passed is not None),
    "dropped": counts(lambda step: step.passed is None and step.category != "open"),
    "still_there": counts(lambda step: step.passed is None and step.category == "open"),
    "left_out": counts(lambda step: step.left_out),
    "stays": stayed,
}


def beside_of(metric: str, p: dict[str, Cell]) -> dict[str, Any]:
    """What stands beside a number, where the model knows it."""
    if metric == "slippage_rate":
        due = p["due"].total
        shares = {
            f"{name}_share": p[name].total / due if due else None for name in ("won", "lost", "pending")
        }
        return shares | {"pulled_in": p["pulled_in"].total}
    if metric == "push_count":
        days = p["days"]
        counted = {name: p[name].total for name in ("pushed_deals", "slips", "quarter_slips")}
        return counted | {"average_days": days.total / days.n if days.n else None}
    if metric in ("quota", "quota_relief", "quota_attainment"):
        let_off = None if p["relief"].excluded["missing_fx"] else p["relief"].total
        left = None if let_off is None or not p["quota"].total else p["quota"].total - let_off
        if metric == "quota_attainment":
            if left is None or left <= 0 or unpriced(p["bookings"]):
                return {"after_relief": None}
            return {"after_relief": p["bookings"].total / left}
        return {"after_relief": left} | ({"relief": let_off} if metric == "quota" else {})
    if metric == "pacing":
        days = p["days"].total
        return {"elapsed": p["begun"].total / days if days else None}
    if metric == "funnel":
        stays = p["stays"].values
        names = ("advanced", "dropped", "still_there", "left_out")
        return {name: p[name].total for name in names} | {
            "median_days": statistics.median(stays) if stays else None
        }
    return {}


def created(a: Answers) -> Cells:
    """At the first amount that the deal was given by the moment, if any."""

    def first(deal: Deal, state: Row) -> Number:
        given = [
            s["amount"] for at, s in deal.versions(a.q.second_load) if at <= a.q.moment and s["amount"] is not None
        ]  # fmt: skip
        return lambda amount: given[0] if given else "no_amount"

    return a.flow("opened_at", lambda _: True, "no_open_date", first, money=True)


def value_of(metric: str, p: dict[str, Cell]) -> Fraction | None:
    def over(a: Fraction, b: Fraction | int) -> Fraction | None:
        return None if not b else a / b

    match metric:
        case "win_rate":
            return over(p["won"].total, p["closed"].total)
        case "slippage_rate":
            return over(p["slipped"].total, p["due"].total)
        case "stage_age":
            return over(p["ages"].total, p["ages"].n)
        case "stage_conversion":
            return over(p["advanced"].total, p["entered"].total)
        case "funnel":
            return p["entered"].total
        case "push_count":
            return p["pushes"].total
        case "revenue_per_rep":
            return None if unpriced(p["bookings"]) else over(p["bookings"].total, p["average_reps"].total)
        case "bookings_growth":
            undefined = unpriced(p["bookings"]) or p["before"].total <= 0
            return None if undefined else p["bookings"].total / p["before"].total - 1
        case "win_rate_value":
            return over(p["won"].total, p["closed"].total)
        case "competitive_win_rate":
            return over(p["won"].total, p["closed"].total)
        case "discount_rate":
            return over(p["discount"].total, p["list"].total)
        case "gross_margin":
            return over(p["net"].total - p["cost"].total, p["net"].total)
        case "cross_sell_share" | "upsell_share":
            return over(p["sold"].total, p["bookings"].total)
        case "new_business_share":
            return over(p["new"].total, p["bookings"].total)
        case "realised_velocity":
            days = over(p["cycles"].total, p["cycles"].n)
            return None if unpriced(p["bookings"]) or not days else p["bookings"].total / days
        case "close_rate":
            return over(p["won"].total, p["created"].total)
        case "average_deal_size":
            return over(p["deals"].total, p["deals"].n)
        case "median_deal_size":
            return statistics.median(p["deals"].values) if p["deals"].values else None
        case "sales_cycle_median":
            return statistics.median(p["cycles"].values) if p["cycles"].values else None
        case "sales_cycle":
            return over(p["cycles"].total, p["cycles"].n)
        case "pipeline_velocity":
            rate, size = over(p["won"].total, p["closed"].total), over(p["sized"].total, p["sized"].n)
            days = over(p["cycles"].total, p["cycles"].n)
            return None if rate is None or size is None or not days else p["open"].total * rate * size / days
        case "quota_attainment":
            return None if unpriced(p["bookings"]) else over(p["bookings"].total, p["quota"].total)
        case "pipeline_coverage":
            left = p["quota"].total - p["bookings"].total
            undefined = not p["quota"].total or left <= 0 or unpriced(p["due"])
            return None if undefined else p["due"].total / left
        case "quota_attainment_to_date":
            return None if unpriced(p["bookings"]) else over(p["bookings"].total, p["due"].total)
        case "pacing":
            elapsed = over(p["begun"].total, p["days"].total)
            if unpriced(p["bookings"]) or not elapsed:
                return None
            return over(p["bookings"].total / elapsed, p["quota"].total)
        case "quota_relief":
            return None if unpriced(p["relief"]) else over(p["relief"].total, p["quota"].total)
        case "quota":
            return p["quota"].total or None
        case "quota_gap":
            undefined = not p["quota"].total or unpriced(p["bookings"])
            return None if undefined else p["quota"].total - p["bookings"].total
    (cell,) = p.values()
    return None if unpriced(cell) else cell.total


def unpriced(cell: Cell) -> bool:
    return cell.n == 0 and bool(cell.excluded["missing_fx"])


@pytest.mark.parametrize(
    ("seed", "metrics", "many"),
    [
        *((seed, METRICS, 40) for seed in range(LIVES)),
        *((seed, OF_LINES, 120) for seed in (8, 9)[: max(1, LIVES // 4)]),
        *((seed, OF_DAYS, 60) for seed in (10, 11)[: max(1, LIVES // 4)]),
    ],
)
async def test_numbers_equal_the_model(
    seed: int, metrics: list[str], many: int, owner_url: str, database: Database
) -> None:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(seed, datetime.now(UTC), many)
    await load(world, model)
    between = datetime.now(UTC)
    await load_again(world, model)
    dice = random.Random(1000 + seed)
    for _ in range(ROUNDS):
        await ask_both(world, model, dice, dice.choice(metrics), between)


async def ask_both(world: World, model: Model, dice: random.Random, metric: str, between: datetime) -> None:
    quotas = "quota" in metric or metric in ("pipeline_coverage", "revenue_per_rep", "pacing")
    own = {d.name for d in METRIC_CATALOGUE.by_name[metric].dimensions}
    own |= {*METRIC_CATALOGUE.by_name[metric].custom(world.company.tenant.custom)}
    if metric == "pipeline_created":
        own -= {*WHAT}
    names = [d for d in (QUOTA_BY if quotas else DEALS_BY) if d in own]
    by = tuple(dice.sample(names, dice.choice([0, 1, 1, 2])))
    filters = dict(
        random_filter(dice, [n for n in names if n != "stage"]) for _ in range(dice.choice([0, 0, 1, 2]))
    )
    timeless = ("open_deals", "pipeline_velocity", "stage_age", "stalled_deals")
    stock = metric in timeless or metric.endswith("_pipeline")
    period, grain, buckets = dice.choice([
        ("2025", "quarter", [(date(2025, m, 1), date(2025 + m // 10, (m + 2) % 12 + 1, 1)) for m in (1, 4, 7, 10)]),
        ("2025-Q2", None, [(date(2025, 4, 1), date(2025, 7, 1))]),
        ("2025-03-05/2025-05-02", "month",
         [(date(2025, 3, 5), date(2025, 4, 1)), (date(2025, 4, 1), date(2025, 5, 1)),
          (date(2025, 5, 1), date(2025, 5, 2))]),
        *([(None, None, None)] if stock else []),
    ])  # fmt: skip
    now = datetime.now(UTC)
    as_of = dice.choice([None, None, midnight(date(2025, 1, 1)) + timedelta(hours=dice.randrange(9000))])
    known_at = between if as_of is not None and dice.random() < 0.4 else None
    fx = dice.choice(["transaction", "transaction", "period_end", "constant:2025-06-01"])
    currency, credit = dice.choice(["USD", "USD", "EUR"]), dice.choice(["at_close", "at_close", "current"])
    shared = any(fact.holders for fact in METRIC_CATALOGUE.by_name[metric].facts)
    attribution = dice.choice(["owner", "owner", "split", "overlay", "team"]) if shared else "owner"
    question = Question(
        buckets, by, filters, as_of or now, as_of is not None, known_at is None, currency, fx, credit, attribution,
    )  # fmt: skip
    asked: dict[str, Any] = {
        "by": list(by), "filters": filters, "period": period, "grain": grain, "currency": currency, "fx": fx,
        "credit": credit, "attribution": attribution, "as_of": as_of.isoformat() if as_of else None,
        "known_at": known_at.isoformat() if known_at else None, "now": now,
    }  # fmt: skip
    rows = await world.rows(metric, **asked)
    said = (metric, asked)
    expected = parts_of(metric, Answers(model, question))
    groups = {key[1] for cells in expected.values() for key, c in cells.items() if c.n or c.total or kept(c)}
    found = {}
    for row in rows:
        start = row["period_start"]
        i = 0 if start is None else [b[0].isoformat() for b in buckets or []].index(start)
        found[i, tuple(row["dimensions"][d]["name"] for d in by)] = row
    nobody = tuple("unallocated" if d in WHAT else None for d in by)
    if METRIC_CATALOGUE.by_name[metric].each:
        expected, groups = {}, set()
        of_reps(metric, model, question, found, said)
        found = {}
    for group in groups:
        for i in range(len(buckets or [None])):
            cells = {name: cells.get((i, group), Cell()) for name, cells in expected.items()}
            label = tuple(n if v is None else v for v, n in zip(group, nobody, strict=True))
            row = found.pop((i, label), None)
            assert row is not None, (said, group, "missing")
            assert row["value"] == decimal(value_of(metric, cells)), (said, group, i, row, cells)
            for name, beside in beside_of(metric, cells).items():
                assert row["beside"][name] == decimal(beside), (said, group, i, name, row, cells)
            if metric == "discount_rate" and cells["each"].values:
                mean = statistics.mean(cells["each"].values)
                assert row["beside"]["average"] == pytest.approx(decimal(mean)), (said, row)
            if (len(cells) == 1 and metric != "quota") or metric in COUNTED_BY:
                cell = cells[COUNTED_BY.get(metric, next(iter(cells)))]
                assert row["n"] == cell.n, (said, row, cell)
                assert row["excluded"] == dict(sorted(kept(cell).items())), (said, row, cell)
    assert all(not row["value"] and not row["n"] for row in found.values()), (said, found)
    await explained(world, metric, rows, **asked)


def of_reps(metric: str, model: Model, question: Question, found: dict[Any, Row], said: Any) -> None:
    """Numbers over the attainment of each rep: that of each is asked of the model, and counted by hand."""
    by = question.by if "rep" in question.by else (*question.by, "rep")
    parts = parts_of("quota_attainment", Answers(model, replace(question, by=by)))
    place = by.index("rep")
    attained: dict[Any, list[Fraction]] = defaultdict(list)
    for i, group in {key for cells in parts.values() for key in cells}:
        cells = {name: each.get((i, group), Cell()) for name, each in parts.items()}
        worth = value_of("quota_attainment", cells)
        if group[place] is not None and worth is not None:
            attained[i, group[: len(question.by)]].append(worth)
    starts = [None] if question.buckets is None else [first.isoformat() for first, _ in question.buckets]
    for (i, group), row in found.items():
        mine = attained.pop((i, tuple(group)), [])
        met = sum(x >= 1 for x in mine)
        if metric == "quota_participation":
            assert row["value"] == decimal(Fraction(met, len(mine)) if mine else None), (
                said,
                starts[i],
                row,
                mine,
            )
        else:
            edges = (
                Fraction(-(10**20)),
                Fraction(1, 2),
                Fraction(7, 10),
                Fraction(1),
                Fraction(6, 5),
                Fraction(10**20),
            )
            bands = [sum(low <= x < high for x in mine) for low, high in itertools.pairwise(edges)]
            assert (row["value"], [*row["beside"].values()]) == (len(mine), bands), (said, row, mine)
    assert not attained, (said, attained)


def kept(cell: Cell) -> Counter[str]:
    return Counter({reason: n for reason, n in cell.excluded.items() if n and reason != "left out"})


def random_filter(dice: random.Random, names: list[str]) -> tuple[str, list[str]]:
    name = dice.choice(names)
    values = {
        "rep": SELLERS, "manager": ("head", "m1", "m2", "s1"), "team": ("red", "blue"), "territory": ("east", "west"),
        "product": ("p1", "p2"), "product_family": ("f1", "f2"), "industry": ("retail", "energy"),
        "type": ("new_business", "renewal"),
        "currency": ("USD", "EUR", "JPY"), "competitor": ("Globex", "Initech"),
        "manager_level_1": ("head",), "manager_level_2": ("m1", "m2", "s2"), "manager_level_3": ("s1", "s2", "s3"),
        "custom.region": ("north", "south"), "account.custom.tier": ("gold", "iron"),
        "sales_channel": ("field", "partner"), "forecast_category": ("commit", "best_case", "pipeline"),
    }[name]  # fmt: skip
    return name, dice.sample(list(values), min(len(values), dice.choice([1, 1, 2])))
