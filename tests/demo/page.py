"""docs/demo.md from the oracle. `python -m tests.demo.page` writes it anew; a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from app.demo.calendar import NOW
from app.demo.generate import generate
from tests.demo.oracle import Oracle, midnight, quarter, year
from tests.demo.pay import QUARTERS, Payroll

PATH = Path(__file__).resolve().parents[2] / "docs" / "demo.md"

CLOSED_QUARTERS = [(2025, 1), (2025, 2), (2025, 3), (2025, 4), (2026, 1), (2026, 2), (2026, 3)]
MOMENTS = [date(2025, 4, 1), date(2025, 7, 1), date(2026, 1, 1), date(2026, 7, 1), date(2026, 10, 1)]


def whole(value: Decimal) -> str:
    return f"{value.quantize(Decimal(1)):,}"


def places(value: Decimal, count: int) -> str:
    return f"{value:.{count}f}"


def percent(value: Decimal) -> str:
    return f"{value * 100:.1f} %"


def table(heads: str, rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = heads.split(" | ")
    yield f"| {heads} |"
    yield "|" + "|".join("---" if index == 0 else "---:" for index in range(len(names))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def lines(oracle: Oracle) -> Iterator[str]:
    demo = oracle.demo
    deals = demo["opportunities"]
    versions = sum(len(row["history"]) for row in deals)
    yield from f"""# The demo tenant, and its numbers

`make run` and `attain demo` fill a tenant called "Demo" with two fiscal years of an invented company, FY2025 and
FY2026 (calendar years), told as of 1 October 2026. The generator (`app/demo/`) is seeded, so everyone gets the same
rows on whatever day; `python -m tests.demo.page` writes this page from them, by plain Python and not by the metrics
engine, and tests hold page, rows and engine together.

{len(demo["reps"])} reps in four levels (Rep 01 leads, 02 to 04 a region each, 05 to 10 a territory each, 11 to 40 sell, three of
them as sales engineers), {len(demo["territories"])} territories, {len(demo["accounts"]):,} accounts, {len(demo["products"])} products in 4 families, 2 pipelines,
{len(deals):,} opportunities with {versions:,} steps of history and {sum(len(x["line_items"]) for x in deals):,} line items, {len(demo["activities"]):,} activities, {len(demo["quotas"])} quotas;
{len(demo["contacts"]):,} contacts, {len(demo["leads"]):,} leads ({sum(x["status"] == "converted" for x in demo["leads"])} of them converted into deals above), {len(demo["campaigns"])} campaigns with {len(demo["campaign_members"]):,} members and
{len(demo["touches"]):,} touches, {len(demo["price_books"])} price books with {len(demo["prices"])} prices; {len(demo["comp_plans"])} compensation plans with {len(demo["plan_assignments"])} assignments.
Amounts below are US dollars, the home currency.

""".split("\n")[:-1]  # noqa: E501 - the line lengths of the page, not of this file
    yield "## By quarter"
    yield ""
    yield "Say `GET /v1/metrics/query?metric=bookings&metric=win_rate&period=2025-01-01/2026-10-01&grain=quarter`."
    yield ""
    yield from table(
        "quarter | `bookings` | `won_deals` | `lost_deals` | `win_rate` | `average_deal_size` | `sales_cycle`, days |"
        " `pipeline_created` | `quota` | `quota_attainment`",
        (
            (
                f"{number}-Q{q}", whole(oracle.bookings(p)), f"{oracle.count(p, 'won')}", f"{oracle.count(p, 'lost')}",
                percent(oracle.win_rate(p)), whole(oracle.average_deal_size(p)), places(oracle.sales_cycle(p), 2),
                whole(oracle.pipeline_created(p)), whole(sum(oracle.quotas(p).values(), Decimal(0))),
                percent(oracle.attainment(p)),
            )
            for number, q in CLOSED_QUARTERS
            for p in [quarter(number, q)]
        ),
    )  # fmt: skip
    yield "## Open at the start of a day"
    yield ""
    yield "Ask with `as_of=2026-10-01`: what has happened since in a tenant that you work with is left out."
    yield ""
    yield from table(
        "`as_of` | `open_deals` | `open_pipeline` | `weighted_pipeline`",
        (
            (day.isoformat(), str(len(oracle.open(when))), whole(oracle.open_pipeline(when)),
             whole(oracle.weighted_pipeline(when)))
            for day in MOMENTS
            for when in [midnight(day)]
        ),
    )  # fmt: skip
    yield from _best(oracle)
    yield from _territories(oracle)
    yield from _families(oracle)
    yield from _pay(oracle)
    yield from _worth_a_question(oracle)


def _best(oracle: Oracle) -> Iterator[str]:
    period = year(2025)
    booked = oracle.bookings_by(period, lambda _, state: state["credited"])
    quotas = oracle.quotas(period)
    best = sorted(booked, key=lambda rep: -booked[rep])[:5]
    yield "## The five who booked most in 2025"
    yield ""
    yield from table(
        "rep | `bookings` | `quota` | `quota_attainment`",
        (
            (oracle.reps[rep or ""]["name"], whole(booked[rep]), whole(quotas[rep or ""]),
             percent(oracle.attainment(period, [rep or ""])))
            for rep in best
        ),
    )  # fmt: skip


def _territories(oracle: Oracle) -> Iterator[str]:
    """The territory of the rep who was credited, at the close."""
    names = {f"demo:{row['external_id']}": row["name"] for row in oracle.demo["territories"]}
    columns = [
        oracle.bookings_by(p, lambda _, state: oracle.rep_at(state["credited"], state["closed_at"])["territory_id"])
        for p in (year(2025), (date(2026, 1, 1), date(2026, 10, 1)))
    ]  # fmt: skip
    yield "## Bookings by territory"
    yield ""
    yield "By the territory in which the credited rep worked at the close: two changed theirs on 1 January 2026."
    yield ""
    yield from table(
        "territory | 2025 | 2026 to September",
        ((name, *(whole(column[key]) for column in columns)) for key, name in names.items()),
    )


def _families(oracle: Oracle) -> Iterator[str]:
    sums: dict[str, Decimal] = {}
    for product, amount in oracle.bookings_by_product(year(2025)).items():
        family = oracle.products[product]["family"] if product else "in no line (`unallocated`)"
        sums[family] = sums.get(family, Decimal(0)) + amount
    yield "## Bookings by product family in 2025"
    yield ""
    yield from table("family | `bookings`", ((name, whole(sums[name])) for name in sorted(sums)))


def _pay(oracle: Oracle) -> Iterator[str]:
    payroll = Payroll(oracle)
    names = {f"demo:{row['external_id']}": row["name"] for row in oracle.demo["comp_plans"]}
    yield "## What it pays"
    yield ""
    yield "By plan and quarter. Each quarter that is over is closed; all but the last are paid, the last is due."
    yield ""
    quarters = [(first, payroll.by_plan(first)) for first, _ in QUARTERS]
    yield from table(
        f"quarter | {' | '.join(names.values())} | together | of bookings",
        (
            (
                f"{first.year}-Q{first.month // 3 + 1}", *(f"{sums.get(plan, Decimal(0)):,.2f}" for plan in names),
                f"{sum(sums.values()):,.2f}", percent(sum(sums.values()) / oracle.bookings(period)),
            )
            for (first, sums), period in zip(quarters, QUARTERS, strict=True)
        ),
    )  # fmt: skip


def _worth_a_question(oracle: Oracle) -> Iterator[str]:
    q1, q4 = quarter(2025, 1), quarter(2025, 4)
    handed_over = next(row for row in oracle.demo["accounts"] if "history" in row)
    raised = [row for row in oracle.demo["quotas"] if "versions" in row]
    yield from f"""## What to look at

- **No price.** The rates of the pound begin on 1 February 2025. {oracle.unpriced(q1)} deals won in January 2025 are in pounds: they count
  as won, they are not in the bookings, and the answer says so (`excluded`).
- **Reopened.** Some deals were won, taken back and lost, or lost and won after all. Bookings of the fourth quarter of
  2025 were {whole(oracle.bookings(q4, midnight(q4[1])))} when asked `as_of=2026-01-01`, and are {whole(oracle.bookings(q4))} today.
- **Moved.** Two sellers changed territory, team and manager on 1 January 2026; one left on 31 March 2026 and the open
  deals went to {oracle.reps[handed_over["owner_id"]]["name"]}. What was closed before stays where it was.
- **Quotas.** {len(raised)} changed in the middle of a quarter and count by days: raised on 15 August 2025, relieved on 15 May 2026.
  Each of the six teams has one of its own as well, shown beside the sum of its members' (`by=team`: `assigned`), never added.
- **Splits.** On one deal in twenty two sellers share the credit; overlay credit of sales engineers stands beside it and
  is in no total.
- **Terms.** Deals of the subscription pipeline run for a term, mostly of twelve months: `acv` counts these and leaves the
  others out as `no_term`.
- **Pay.** Sellers in the field have a higher rate above their quota, inside sellers a rate for all by what they reached and
  a spiff in the second quarter of 2026; engineers are paid for overlays, managers for their people; who is new has a
  draw. The terms of the field changed on 1 January 2026. FY2026-Q4 is open: what is told now of a closed quarter is an adjustment there.
- **Planned.** Nothing has happened since 1 October 2026: {sum(not x["done"] for x in oracle.demo["activities"]):,} activities lie ahead of it, and quotas go on to the end of 2026.
""".splitlines()  # noqa: E501


def page() -> str:
    oracle = Oracle(generate())
    assert midnight(MOMENTS[-1]) == NOW
    return "\n".join(lines(oracle)).rstrip() + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), "utf-8")
