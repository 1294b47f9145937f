"""The handbook says of every number what its declaration says."""

from __future__ import annotations

import re

import pytest

from app.areas import METRIC_CATALOGUE
from app.language.metrics.handbook import FOLDER, pages
from app.language.metrics.metric import Metric

PAGES = pages(METRIC_CATALOGUE)


@pytest.mark.parametrize("metric", [*METRIC_CATALOGUE], ids=lambda metric: metric.name)
def test_a_page_for_every_number(metric: Metric) -> None:
    page = PAGES[f"{FOLDER}/{metric.name}.md"]
    for told in (
        metric.title,
        metric.description,
        metric.formula,
        metric.example,
        *metric.edge_rules,
        *metric.beside,
    ):
        assert told in page, told
    assert all((metric.example, metric.edge_rules, metric.date_field)), "a number explains itself"


def test_every_link_of_the_list_leads_somewhere() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", PAGES[f"{FOLDER}/README.md"]))
    assert {f"{FOLDER}/{name}" for name in linked} == PAGES.keys() - {f"{FOLDER}/README.md"}


def test_every_reason_that_a_rule_names_is_one_for_which_rows_are_left_out() -> None:
    """A reason in words and none in the declaration, or the other way round, is a page that lies."""
    for metric in METRIC_CATALOGUE:
        page = PAGES[f"{FOLDER}/{metric.name}.md"]
        named = set(re.findall(r"excluded as `(\w+)`", " ".join(metric.edge_rules)))
        left_out = set(re.findall(r"^\* `(\w+)`$", page, re.MULTILINE))
        if metric.each is None:
            assert named <= left_out, metric.name
