"""Numbers about what was due in a period, and what became of it by the period's end."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import and_, not_, or_
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import (
    AtStart,
    Condition,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import constant
from app.sales.pipeline.metrics.populations import OPEN_DUE, money
from app.sales.pipeline.metrics.wording import PRODUCTS, UNPRICED


def _ended(category: str) -> Condition:
    return lambda s: s.join("outcome").c.category == constant(category)


def _given_up(s: Scope) -> ColumnElement[bool]:
    return or_(_ended("lost")(s), _ended("abandoned")(s))


def _moved_out(s: Scope) -> ColumnElement[bool]:
    due = s.join("outcome").c.expected_close_on
    return or_(due.is_(None), due >= bucket("last"))


def _slipped(s: Scope) -> ColumnElement[bool]:
    return and_(_ended("open")(s), or_(bucket("ends") <= s.asked, _moved_out(s)))


def _pending(s: Scope) -> ColumnElement[bool]:
    return and_(_ended("open")(s), bucket("ends") > s.asked, not_(_moved_out(s)))


_GONE = (("deleted", lambda s: s.join("outcome").c.category.is_(None)),)
DUE_LATER = replace(
    OPEN_DUE,
    name="due_later",
    within=lambda s: s.row.c.expected_close_on >= bucket("last"),
    undated=None,
)


def _count(name: str, only: Condition | None = None, population: Population = OPEN_DUE) -> AtStart:
    return AtStart(Measure(name=name, population=population, only=only, exclusions=_GONE))


def _amount(name: str, only: Condition | None = None) -> AtStart:
    return AtStart(money(name, OPEN_DUE, only=only, exclusions=_GONE))


def _slippage(p: Tallies) -> Result:
    due = p["due"]
    amount = p["due_amount"]
    beside = {
        "by_value": share(p["slipped_amount"].total, amount.total),
        **{f"{name}_share": share(p[name].total, due.total) for name in ("won", "lost", "pending")},
        "pulled_in": p["pulled_in"].total,
    }
    return divide(p["slipped"].total, due.total, due.n, beside=beside)


SLIPPAGE = (
    Metric(
        name="slippage_rate",
        title="Slippage",
        description="Of the deals that were due in the period as it began, the share that had not closed by its end.",
        kind="ratio",
        unit="ratio",
        formula="Deals open and due in the period at its first instant, and still open at its end ÷ all that were due",
        date_field="expected_close",
        parts={
            "due": _count("due"),
            "slipped": _count("slipped", _slipped),
            "won": _count("won", _ended("won")),
            "lost": _count("lost", _given_up),
            "pending": _count("pending", _pending),
            "due_amount": _amount("due_amount"),
            "slipped_amount": _amount("slipped_amount", _slipped),
            "pulled_in": _count("pulled_in", _ended("won"), DUE_LATER),
        },
        combine=_slippage,
        proportion=True,
        aside=frozenset({"due_amount", "slipped_amount", "pulled_in"}),
        beside={
            "by_value": "Slipped amounts ÷ amounts due, as both stood when the period began.",
            "won_share": "Won by the end.",
            "lost_share": "Lost or abandoned by the end: that is not slipping.",
            "pending_share": "Still open and due, while the period is not over.",
            "pulled_in": "Deals won in the period that were due after it when it began; no part of the rate.",
        },
        edge_rules=(
            "What was due is locked as it stood in the first instant of the period, however it was changed since; what "
            "was opened later is no part of it.",
            "While the period is not over, a deal has slipped when its expected close has moved out of the period.",
            "A deal without an expected close is excluded as `no_expected_close`, one that was deleted as `deleted`.",
            "By rep, manager, team and territory, a deal is its owner's as the period began.",
            UNPRICED, PRODUCTS,
        ),
        example="Due in March on 1 March: 4 deals; 1 won, 1 lost, 1 pushed to April, 1 open with its date long past. "
        "Slippage: 2 ÷ 4 = 0.5.",
    ),
)  # fmt: skip
