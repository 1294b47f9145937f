"""Scores: pure, and the same however they are reached."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ground.errors import Invalid
from app.sales.prospecting.scoring import Rule, holds, score

WORDS = st.sampled_from(["Head of IT", "head", "IT", "", "Isdom", "ISDOM GmbH", "25", "x"])
LEADS = st.fixed_dictionaries(
    {"title": st.none() | WORDS, "company": st.none() | WORDS, "employees": st.none() | st.integers(0, 5000)}
)
_TEXT = st.tuples(
    st.sampled_from(["title", "company"]), st.sampled_from(["eq", "ne", "contains", "starts_with"]), WORDS
)
_NUMBER = st.tuples(st.just("employees"), st.sampled_from(["gte", "lte"]), st.integers(0, 5000).map(str))
_NULL = st.tuples(
    st.sampled_from(["title", "company", "employees"]), st.just("is_null"), st.sampled_from(["true", "false"])
)
RULES = st.builds(
    lambda x, points: Rule(x[0], x[1], x[2], points), _TEXT | _NUMBER | _NULL, st.integers(-1000, 1000)
)


@given(LEADS, st.lists(RULES, max_size=8), st.randoms())
def test_the_score_is_a_sum_that_no_order_changes(lead: dict[str, Any], rules: list[Rule], dice: Any) -> None:
    shuffled = rules[:]
    dice.shuffle(shuffled)
    assert score(lead, rules) == score(lead, shuffled)
    assert score(lead, rules) == (sum(score(lead, [x]) or 0 for x in rules) if rules else None)
    more = {**lead, "phone": "1", "status": "working"}
    assert score(more, rules) == score(lead, rules), "what no rule names does not count"


@given(LEADS, RULES)
def test_opposites_never_agree(lead: dict[str, Any], rule: Rule) -> None:
    have = lead[rule.field]
    opposite = {"eq": "ne", "ne": "eq"}.get(rule.operator)
    if opposite:
        assert holds(rule, have) != holds(Rule(rule.field, opposite, rule.value, 0), have)
    if rule.operator == "is_null":
        other = "false" if rule.value == "true" else "true"
        assert holds(rule, have) != holds(Rule(rule.field, "is_null", other, 0), have)


@pytest.mark.parametrize(
    ("operator", "value", "have", "expected"),
    [
        ("eq", "IT", "it", False), ("contains", "HEAD", "The head of IT", True), ("starts_with", "th", "The", True),
        ("gte", "500", 500, True), ("gte", "500", 499, False), ("lte", "-1", 0, False), ("lte", "5", None, False),
        ("ne", "x", None, True), ("contains", "", None, False),
    ],
)  # fmt: skip
def test_each_operator(operator: str, value: str, have: Any, expected: bool) -> None:
    assert holds(Rule("f", operator, value, 1), have) is expected


async def test_leads_are_scored_when_they_are_written_and_when_a_rule_is(firm: Any) -> None:
    await firm.taken("leads", {"external_id": "l", "name": "L", "employees": 900, "title": "CTO"})
    assert (await firm.get("leads", "crm:l"))["score"] is None
    rule = {"name": "Large", "field": "employees", "operator": "gte", "value": "500", "points": 30}
    made = await firm.create("scoring_rules", rule)
    await firm.create(
        "scoring_rules",
        {"name": "Chief", "field": "title", "operator": "starts_with", "value": "c", "points": 5},
    )
    scored = await firm.get("leads", "crm:l")
    assert (scored["score"], scored["version"]) == (35, 3)
    await firm.patch("leads", "crm:l", {"employees": 10})
    assert (await firm.get("leads", "crm:l"))["score"] == 5
    await firm.patch("scoring_rules", made.id, {"value": "10", "points": -7})
    assert (await firm.get("leads", "crm:l"))["score"] == -2
    await firm.patch("leads", "crm:l", {"status": "disqualified"})
    await firm.delete("scoring_rules", made.id)
    assert (await firm.get("leads", "crm:l"))["score"] == -2, "what is over is not scored any more"


@pytest.mark.parametrize(
    ("field", "operator", "value", "pointer"),
    [
        ("employes", "gte", "1", "/field"), ("score", "gte", "1", "/field"), ("title", "gte", "1", "/operator"),
        ("employees", "gte", "x", "/value"), ("employees", "eq", "1.5", "/value"), ("title", "is_null", "no", "/value"),
    ],
)  # fmt: skip
async def test_a_rule_that_no_lead_can_meet_is_refused(
    firm: Any, field: str, operator: str, value: str, pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await firm.create(
            "scoring_rules", {"name": "R", "field": field, "operator": operator, "value": value, "points": 1}
        )
    assert [e.pointer for e in refused.value.errors] == [pointer]
    if field == "employes":
        assert 'Did you mean "employees"' in refused.value.errors[0].message
