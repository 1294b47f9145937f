"""Reckon every line of pay again, from its trace alone, and print those that come to something else.

    python examples/recompute_pay.py --url http://localhost:8000 --key attain_… [--period 2026-Q1]
    curl -H 'Accept: application/x-ndjson' … /v1/statement_lines | python examples/recompute_pay.py

It needs nothing but Python, asks nothing of Attain but the lines, and knows none of its code: exact fractions, rounded
once, half away from zero. Ends with 1 where a line differs.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

Line = Mapping[str, Any]


class Unexplained(ValueError):
    """A trace that does not say enough, or contradicts itself."""


def recomputed(line: Line) -> Fraction:
    """What the line pays: what it comes to now, less what lines of other periods already have of it."""
    trace = line["trace"]
    now = _reckoned(line, trace)
    if "amount_now" in trace and _number(trace["amount_now"]) != now:
        raise Unexplained(f"amount_now is {trace['amount_now']}, reckoned {now}")
    return now - (_number(trace.get("amount_before")) or 0)


def _reckoned(line: Line, trace: Mapping[str, Any]) -> Fraction:
    if line["reason"] in ("no_longer_credited", "too_large"):
        return Fraction(0)
    if line["kind"] == "draw":
        return Fraction(0) if "amount_now" in trace else _drawn(trace)
    exact = _exact(line, trace)
    if exact != _number(trace["exact"]) and not _divides(trace):
        raise Unexplained(f"exact is {trace['exact']}, reckoned {exact}")
    digits, lower = trace["digits"], _number(trace.get("exact_of_lower_tiers")) or Fraction(0)
    earns = rounded(lower + exact, digits) - rounded(lower, digits)
    cap, before = _number(trace.get("cap")), _number(trace.get("paid_before_cap"))
    if cap is None or before is None:
        return earns
    return min(before + earns, cap) - min(before, cap)


def rounded(exact: Fraction, digits: int) -> Fraction:
    units = abs(exact) * 10**digits
    whole = (2 * units.numerator + units.denominator) // (2 * units.denominator)
    return Fraction(whole if exact >= 0 else -whole, 10**digits)


def _number(value: Any) -> Fraction | None:
    return None if value is None else Fraction(value)


def _divides(trace: Mapping[str, Any]) -> bool:
    """Whether the service has divided, which it does to some 20 digits: then the last of `exact` may differ."""
    return "/" in trace.get("formula", "") or ("margin" in trace and "tier" in trace)


def _drawn(trace: Mapping[str, Any]) -> Fraction:
    draw, earned, advanced = (Fraction(trace[x]) for x in ("draw", "earned", "advanced_before"))
    if earned < draw:
        return draw - earned
    return -min(max(advanced, Fraction(0)), earned - draw) if trace["recoverable"] else Fraction(0)


_PAYS_NOTHING = ("no_quota", "missing_fx", "no_cost", "no_amount", "below_threshold")


def _exact(line: Line, trace: Mapping[str, Any]) -> Fraction:
    if line["reason"] in _PAYS_NOTHING:
        return Fraction(0)
    if "credit" in trace and Fraction(trace["credit"]) * Fraction(trace["rate_of_exchange"]) != Fraction(
        trace["credited"]
    ):
        raise Unexplained("credit × rate_of_exchange is not what is credited")
    if "threshold" in trace and Fraction(trace["attainment"]) < Fraction(trace["threshold"]):
        raise Unexplained("it is below its threshold")
    if "amount" in trace:
        return Fraction(trace["amount"]) * Fraction(trace.get("share", 1))
    if "formula" in trace:
        told = _value(_parsed(trace["formula"]), _variables(trace), iter(trace.get("sums", ())), {})
        return Fraction(0) if told is None else told
    measured = Fraction(trace["margin"] if "margin" in trace else trace["credited"])
    if "tier" not in trace:
        return measured * Fraction(trace["rate"]) if "rate" in trace else Fraction(0)
    piece = _piece(line["tier"], trace["tier"], Fraction(trace["credited"]))
    if "margin" in trace and trace["tier"]["tiering"] == "marginal":
        return measured * piece / Fraction(trace["credited"]) * Fraction(trace["rate"])
    return (measured if "margin" in trace else piece) * Fraction(trace["rate"])


def _piece(number: int, tier: Mapping[str, Any], credited: Fraction) -> Fraction:
    """What of a credit lies in a tier; all of it, where the tier that was reached pays it all."""
    if tier["tiering"] == "retroactive":
        return credited
    base, before = Fraction(tier["base"]), Fraction(tier["credited_before"])
    low = None if number == 1 else Fraction(tier["above"]) * base
    high = Fraction(tier["below"]) * base if "below" in tier else None

    def within(value: Fraction) -> Fraction:
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value

    return within(before + credited) - within(before)


def _variables(trace: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(trace.get("given", {}))
    if "closed_on" in given:
        given["closed_on"] = date.fromisoformat(given["closed_on"])
    given |= {"amount": trace.get("credited"), "credited": trace.get("total_credited")}
    given |= {x: trace.get(x) for x in ("attainment", "target", "share")}
    return {k: Fraction(v) if isinstance(v, int | Decimal) else v for k, v in given.items()}


# --- formulas --------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""\s*(?:([0-9.]+%?)|("(?:[^"]|"")*"|'(?:[^']|'')*')|([A-Za-z_][\w.]*)|(<=|>=|<>|!=|[-+*/=<>(),]))"""
)
_COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_OF_ROWS = ("sum", "count", "avg", "median")


class _Reader:
    """A formula as nested tuples, read by descending from `or` to what stands by itself."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise Unexplained(f"cannot read the formula at {text[place : place + 20]!r}")
            kind = ("number", "text", "name", "sign")[(match.lastindex or 1) - 1]
            self.tokens.append((kind, match[match.lastindex or 1]))
            place = match.end()

    def takes(self, *words: str) -> str | None:
        if self.tokens and self.tokens[0][0] in ("name", "sign") and self.tokens[0][1].lower() in words:
            return self.tokens.pop(0)[1].lower()
        return None

    def chain(self, below: Any, *signs: str) -> Any:
        node = below()
        while (sign := self.takes(*signs)) is not None:
            node = (sign, node, below())
        return node

    def anything(self) -> Any:
        return self.chain(lambda: self.chain(self.condition, "and"), "or")

    def condition(self) -> Any:
        if self.takes("not"):
            return ("not", self.condition())
        node = self.sum()
        if (sign := self.takes(*_COMPARE)) is not None:
            return (sign, node, self.sum())
        turned = self.takes("not")
        if self.takes("in"):
            self.takes("(")
            among = ("in", node, *self.list())
            return ("not", among) if turned else among
        return node

    def sum(self) -> Any:
        return self.chain(lambda: self.chain(self.factor, "*", "/"), "+", "-")

    def factor(self) -> Any:
        return ("negative", self.atom()) if self.takes("-") else self.atom()

    def list(self) -> list[Any]:
        """Up to the parenthesis that closes it."""
        found: list[Any] = []
        while not self.takes(")"):
            found.append(self.anything())
            self.takes(",")
        return found

    def atom(self) -> Any:
        if self.takes("("):
            node = self.anything()
            self.takes(")")
            return node
        kind, word = self.tokens.pop(0)
        if kind == "number":
            return ("is", Fraction(word[:-1]) / 100 if word.endswith("%") else Fraction(word))
        if kind == "text":
            return ("is", word[1:-1].replace(word[0] * 2, word[0]))
        if self.takes("("):
            return ("call", word.lower(), *self.list())
        return ("is", word.lower() == "true") if word.lower() in ("true", "false") else ("name", word.lower())


def _parsed(text: str) -> Any:
    return _Reader(text).anything()


def _value(node: Any, given: Mapping[str, Any], sums: Iterator[Any], seen: dict[Any, Any]) -> Any:
    """None is what is not defined, and what comes of it is not either. `sums` are over many rows, each told once, in
    the order in which the formula speaks of them."""
    what = node[0]
    if what == "is":
        return node[1]
    if what == "name":
        return given.get(node[1])
    if what == "call" and (node[1] in _OF_ROWS or (node[1] in ("min", "max") and len(node) == 3)):
        if node not in seen:
            told = next(sums)
            seen[node] = None if told is None else Fraction(told)
        return seen[node]
    values = [_value(x, given, sums, seen) for x in node[2 if what == "call" else 1 :]]
    return _called(node[1], values) if what == "call" else _joined(what, values)


def _joined(sign: str, values: list[Any]) -> Any:
    if sign in ("and", "or"):
        decides = sign == "or"
        return decides if decides in values else None if None in values else not decides
    if sign == "in":
        found = None if values[0] is None else values[0] in values[1:]
        return None if found is False and None in values[1:] else found
    if None in values:
        return None
    if sign == "not":
        return not values[0]
    if sign == "negative":
        return -values[0]
    left, right = values
    if sign in _COMPARE:
        return _COMPARE[sign](left, right)
    if sign == "/":
        return left / right if right else None
    return {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](left, right)


def _called(name: str, values: list[Any]) -> Any:
    if name == "if":
        return values[1] if values[0] is True else values[2]
    if name == "coalesce":
        return next((x for x in values if x is not None), None)
    if None in values:
        return None
    if name == "date":
        return date.fromisoformat(values[0])
    if name == "round":
        return rounded(values[0], int(values[1]))
    if name == "days_between":
        return Fraction((values[1] - values[0]).days)
    if name in ("min", "max"):
        return min(values) if name == "min" else max(values)
    raise Unexplained(f"no such function: {name}")


# --- lines -----------------------------------------------------------------------------------------------------------


def read(text: str) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


def fetched(url: str, key: str, period: str | None) -> Iterator[Line]:
    asked = {"limit": "200"} | ({"period.period": period} if period else {})
    following: str | None = f"{url.rstrip('/')}/v1/statement_lines?{urllib.parse.urlencode(asked)}"
    cursor: str | None = None
    while True:
        page = following + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else "")
        request = urllib.request.Request(page, headers={"authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request) as response:
            body = read(response.read().decode())
        yield from body["data"]
        if not body["has_more"]:
            return
        cursor = body["next_cursor"]


def mismatches(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        try:
            amount = recomputed(line)
        except (Unexplained, LookupError, TypeError) as error:
            yield f"{line.get('id')}: {error!r}"
            continue
        if amount != Fraction(line["amount"]):
            yield f"{line.get('id')}: pays {line['amount']}, reckoned {float(amount)}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="where Attain is; NDJSON on stdin when left out")
    parser.add_argument("--key", default=os.environ.get("ATTAIN_KEY", ""))
    parser.add_argument("--period", help="only what this period pays, say 2026-Q1")
    told = parser.parse_args()
    lines = list(
        fetched(told.url, told.key, told.period) if told.url else (read(x) for x in sys.stdin if x.strip())
    )
    wrong = list(mismatches(lines))
    for one in wrong:
        print(one)
    print(f"{len(lines)} lines, {len(wrong)} of them differ", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
