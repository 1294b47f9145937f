"""A past quarter's KPI page in Markdown, asked of a running service with nothing but its API.

    python examples/quarter/page.py 2026-Q2 --key "$(cat .attain/demo.key)" --out examples/quarter/page.md

Three requests: every figure, the rows behind one of them, and what the numbers mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

Row = dict[str, Any]

HEADLINE = (
    "bookings", "won_deals", "win_rate", "average_deal_size", "sales_cycle", "discount_rate", "pipeline_created",
    "new_customers", "quota_attainment", "quota_participation",
)  # fmt: skip
STOCKS = ("open_deals", "open_pipeline", "weighted_pipeline", "commit_pipeline", "stalled_deals")
ATTAINED = ("bookings", "won_deals", "win_rate", "quota", "quota_attainment")


@dataclass(frozen=True)
class Quarter:
    name: str
    """`2026-Q2`"""

    @property
    def first(self) -> date:
        year, quarter = self.name.split("-Q")
        return date(int(year), int(quarter) * 3 - 2, 1)

    @property
    def last_month(self) -> str:
        return f"{self.first.year}-{self.first.month + 2:02}"

    @property
    def next(self) -> Quarter:
        year, quarter = map(int, self.name.split("-Q"))
        return Quarter(f"{year + quarter // 4}-Q{quarter % 4 + 1}")

    @property
    def end(self) -> date:
        """The first day behind it."""
        return self.next.first


def questions(quarter: Quarter) -> dict[str, Row]:
    """All that the page shows but the rows behind a figure; up to twenty questions go in one request."""
    whole: Row = {"period": quarter.name}
    start, end = quarter.first.isoformat(), quarter.end.isoformat()

    def best(*metrics: str, by: str, **rest: Any) -> Row:
        return {**whole, "metrics": metrics, "by": [by], "sort": f"-{metrics[0]}", **rest}

    return {
        "quarter before": {**whole, "metrics": HEADLINE, "compare": "previous"},
        "year ago": {**whole, "metrics": HEADLINE, "compare": "year_ago"},
        "months": {**whole, "metrics": ATTAINED, "grain": "month", "totals": True},
        "teams": best(*ATTAINED, by="team"),
        "managers": best(*ATTAINED, by="manager"),
        "families": best("bookings", "discount_rate", by="product_family"),
        "funnel": {**whole, "metrics": ["funnel", "stage_conversion"], "by": ["pipeline", "stage"]},
        "losses": best("lost_deals", by="loss_reason"),
        "leaders": best(*ATTAINED, by="rep", limit=10),
        "last month": {"period": quarter.last_month, "metrics": ["bookings"], "by": ["rep"]},
        "bands": {**whole, "metrics": ["attainment_bands"]},
        "open at the start": {"metrics": STOCKS, "as_of": start},
        "open at the end": {"metrics": STOCKS, "as_of": end},
        "known by the end": {"metrics": ["open_deals", "open_pipeline"], "as_of": end, "known_at": end},
        "coverage": {"metrics": ["pipeline_coverage"], "period": quarter.next.name, "as_of": end},
        "as it looked": {**whole, "metrics": ["bookings", "won_deals", "win_rate"], "as_of": end},
    }  # fmt: skip


class Page:
    def __init__(self, client: httpx.Client, quarter: Quarter) -> None:
        self.client, self.quarter = client, quarter
        asked = questions(quarter)
        answers = self._json(
            client.post("/v1/metrics:query", json={"queries": [_listed(q) for q in asked.values()]})
        )
        self.answers: dict[str, list[Row]] = {
            name: answer["data"] for name, answer in zip(asked, answers["answers"], strict=True)
        }
        self.currency = answers["answers"][0]["meta"]["currency"]
        self.leader: Row = self._groups("leaders")[0]["bookings"]["dimensions"]["rep"]
        wanted = {"period": quarter.last_month, "rep": self.leader["id"], "limit": 1000}
        self.rows: list[Row] = self._json(client.get("/v1/metrics/bookings/rows", params=wanted))["data"]
        self.metrics = {metric["name"]: metric for metric in self._json(client.get("/v1/metrics"))["data"]}

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_error:
            sys.exit(f"{answer.request.url}: {answer.status_code} {answer.text}")
        return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)

    # --- of an answer ------------------------------------------------------------------------------------------------

    def _cell(self, name: str) -> dict[str, Row]:
        """The only cell of a question, by metric."""
        return {row["metric"]: row for row in self.answers[name]}

    def _groups(self, name: str) -> list[dict[str, Row]]:
        """Each group that has rows, by metric; the largest first, equal ones by name."""
        groups: dict[str, dict[str, Row]] = {}
        for row in self.answers[name]:
            groups.setdefault(json.dumps(row["dimensions"]), {})[row["metric"]] = row
        there = [group for group in groups.values() if any(row["n"] for row in group.values())]
        return sorted(
            there, key=lambda g: (-(next(iter(g.values()))["value"] or 0), _called(next(iter(g.values()))))
        )

    # --- the page ----------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        name, end = self.quarter.name, self.quarter.end
        yield from (f"# {name}", "")
        yield f"Everything below was asked of the API by [`page.py`](page.py); amounts in {self.currency}."
        yield ""
        yield from self._headline()
        yield from ("## By month", "")
        yield from _table(["month", *self._titles(ATTAINED)], self._months())
        for heading, what in (("team", "teams"), ("manager", "managers")):
            yield from (f"## By {heading}", "")
            yield from self._attained(heading, what)
        yield from ("## By product family", "")
        sold = ("bookings", "discount_rate")
        yield from _table(
            ["family", *self._titles(sold)],
            ([_called(g["bookings"]), *self._shown(g, sold)] for g in self._groups("families")),
        )
        yield from self._funnel()
        yield from ("## Why deals were lost", "")
        yield from _table(
            ["reason", "deals"],
            ([_called(g["lost_deals"]), _show(g["lost_deals"])] for g in self._groups("losses")),
        )
        yield from ("## The ten who booked most", "")
        yield from self._attained("rep", "leaders")
        yield from self._bands()
        yield from self._pipeline()
        yield from ("## As it looked when it ended, and since", "")
        yield from self._restated(end)
        yield from self._explained()
        yield from ("## What the numbers are", "")
        for metric in dict.fromkeys((*HEADLINE, *STOCKS, *ATTAINED)):
            yield f"- **{self.metrics[metric]['title']}**: {self.metrics[metric]['formula']}."

    def _titles(self, names: Iterable[str]) -> list[str]:
        return [self.metrics[name]["title"].lower() for name in names]

    @staticmethod
    def _shown(cells: dict[str, Row], names: Iterable[str]) -> list[str]:
        return [_show(cells[name]) for name in names]

    def _headline(self) -> Iterator[str]:
        before, ago = self._cell("quarter before"), self._cell("year ago")
        yield from _table(
            ["", self.quarter.name, "quarter before", "change", "year ago", "change", "rows", "left out"],
            (
                [self.metrics[name]["title"], _show(before[name]), *_beside(before[name]), *_beside(ago[name]),
                 _whole(before[name]["n"]), _excluded(before[name])]
                for name in HEADLINE
            ),
        )  # fmt: skip

    def _months(self) -> Iterator[list[str]]:
        months: dict[str, dict[str, Row]] = {}
        for row in self.answers["months"]:
            months.setdefault(self.quarter.name if row["total"] else row["period_start"][:7], {})[
                row["metric"]
            ] = row
        for month, cells in months.items():
            yield [month, *self._shown(cells, ATTAINED)]

    def _attained(self, heading: str, what: str) -> Iterator[str]:
        yield from _table(
            [heading, *self._titles(ATTAINED)],
            ([_called(g["bookings"]), *self._shown(g, ATTAINED)] for g in self._groups(what)),
        )

    def _funnel(self) -> Iterator[str]:
        yield from (
            "## Funnel",
            "",
            "Of the deals that reached a stage in the quarter, what has become of them since.",
            "",
        )
        yield from _table(
            ["pipeline, stage", "reached", "went on", "dropped", "still there", "conversion", "median days"],
            (
                [_called(g["funnel"]), _show(g["funnel"]),
                 *(_whole(g["funnel"]["beside"][x]) for x in ("advanced", "dropped", "still_there")),
                 _show(g["stage_conversion"]), _days(g["funnel"]["beside"]["median_days"])]
                for g in self._groups("funnel")
            ),
        )  # fmt: skip

    def _bands(self) -> Iterator[str]:
        [row] = self.answers["bands"]
        yield from ("## Attainment bands", "")
        bands: Row = self.metrics["attainment_bands"]["beside"]
        yield from _table(
            ["attainment", "reps"],
            ([bands[name].rstrip("."), _whole(n)] for name, n in row["beside"].items()),
        )
        yield from (f"{_show(row)} reps carry a quota; left out: {_excluded(row)}", "")

    def _pipeline(self) -> Iterator[str]:
        start, end = self._cell("open at the start"), self._cell("open at the end")
        yield from ("## Pipeline", "")
        yield from _table(
            ["", f"as of {self.quarter.first}", f"as of {self.quarter.end}", "left out"],
            (
                [self.metrics[name]["title"], _show(start[name]), _show(end[name]), _excluded(end[name])]
                for name in STOCKS
            ),
        )
        coverage, known = self._cell("coverage")["pipeline_coverage"], self._cell("known by the end")
        yield (
            f"What was due in {self.quarter.next.name} covered {coverage['value']:.2f} times what its quota still "
            f"asked for; at the win rate of the twelve months before, {coverage['beside']['required']:.2f} times were "
            "needed."
        )
        yield (
            f"By what this service had been told by then (`known_at={self.quarter.end}`) "
            f"{_show(known['open_deals'])} deals were open: the demo is told in one go, after that day."
        )
        yield ""

    def _restated(self, end: date) -> Iterator[str]:
        then, now = self._cell("as it looked"), self._cell("quarter before")
        yield from _table(
            ["", f"as of {end}", "today"],
            ([self.metrics[name]["title"], _show(then[name]), _show(now[name])] for name in then),
        )

    def _explained(self) -> Iterator[str]:
        name = self.leader["name"]
        yield from (f"## The rows behind one figure: bookings of {name} in {self.quarter.last_month}", "")
        rows = sorted(self.rows, key=lambda row: (row["date"], row["label"]))
        yield from _table(
            ["closed", "deal", "amount", "rate", "counts for"],
            (
                [row["date"][:10], row["label"], f"{_money(row['amount'])} {row['currency']}",
                 f"{row['rate'].normalize():f}", _money(row["contribution"]["bookings"])]
                for row in rows
            ),
        )  # fmt: skip
        total = sum((row["contribution"]["bookings"] for row in rows), Decimal(0))
        [figure] = [
            row["value"] for row in self.answers["last month"] if row["dimensions"]["rep"] == self.leader
        ]
        if total != figure:
            sys.exit(f"The rows come to {total}, the figure is {figure}.")
        yield from (f"{len(rows)} deals, {_money(total)} together: the figure, to the last digit.", "")


def _listed(question: Row) -> Row:
    return {**question, "metrics": [*question["metrics"]]}


def _called(row: Row) -> str:
    return ", ".join(group["name"] or "none" for group in row["dimensions"].values())


def _whole(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _money(number: Decimal) -> str:
    return f"{number:,.2f}"


def _days(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:.1f}"


_UNITS: dict[str, Callable[[Decimal], str]] = {
    "ratio": lambda value: f"{value * 100:.1f} %", "days": _days,
}  # fmt: skip


def _show(row: Row) -> str:
    """Undefined is what it is, with its reason."""
    return (
        f"({row['null_reason']})" if row["value"] is None else _UNITS.get(row["unit"], _whole)(row["value"])
    )


def _beside(row: Row) -> tuple[str, str]:
    other = row["compare"]
    change = other["change_ratio"]
    return _show({**row, **other}), "–" if change is None else f"{change * 100:+.1f} %"


def _excluded(row: Row) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in row["excluded"].items()) or "nothing"


def _table(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("quarter", nargs="?", default="2026-Q2", type=Quarter)
    parser.add_argument("--url", default=os.environ.get("ATTAIN_URL", "http://localhost:8000"))
    parser.add_argument("--key", default=os.environ.get("ATTAIN_KEY"), help="or ATTAIN_KEY")
    parser.add_argument("--out", type=Path, help="else it is printed")
    given = parser.parse_args()
    if not given.key:
        parser.error("an API key is needed: --key or ATTAIN_KEY")
    headers = {"Authorization": f"Bearer {given.key}"}
    with httpx.Client(base_url=given.url, headers=headers, timeout=60) as client:
        text = "\n".join(Page(client, given.quarter).lines()).rstrip() + "\n"
    if given.out:
        given.out.write_text(text, "utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
