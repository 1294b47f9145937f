"""What a formula of a plan can speak of."""

from __future__ import annotations

from app.language.formula.types import Type, Variable

_OF_BOTH = (
    Variable("attainment", Type.RATIO, "What is credited in the period ÷ the target; null without one."),
    Variable("target", Type.MONEY, "The assignment's target, else the effective quota, for its days."),
    Variable("credited", Type.MONEY, "All that is credited in the period."),
    Variable("on_target_earnings", Type.MONEY, "The assignment's, for a year."),
    Variable("variable_share", Type.RATIO, "The part of it that hangs on performance."),
)

_OF_DEALS = (
    Variable("amount", Type.MONEY, "What is credited of the deal, in the plan's currency."),
    Variable("margin", Type.MONEY, "What of its margin is; null where a line has no cost."),
    Variable("share", Type.RATIO, "The split."),
    Variable("term_months", Type.NUMBER, "The deal's term."),
    Variable("type", Type.TEXT, "The deal's type."),
    Variable("sales_channel", Type.TEXT, "The deal's channel."),
    Variable("lead_source", Type.TEXT, "Where it came from."),
    Variable("closed_on", Type.DATE, "The day of the close."),
)


OF_A_CREDIT = {x.name: x for x in (*_OF_BOTH, *_OF_DEALS)}
OF_A_PERIOD = tuple(x.name for x in _OF_BOTH)
"""What a bonus may speak of outside of `sum`, `count`, `avg`, `min`, `max` and `median`; inside of them, of all."""
