"""Numbers that somebody lets others have: a question that is kept, asked with the view of whoever stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.ground.errors import Conflict, Forbidden, Invalid, NotFound
from app.language.metrics import moment
from app.language.metrics.answer import Answer
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.nouns import Nouns
from app.language.metrics.question import MetricQuery, from_json


@dataclass(frozen=True, slots=True)
class Held:
    """`question` as `/v1/metrics:query` takes it; `asker` is as they would come in now, `rep` their `{id, name}`."""

    question: Mapping[str, Any]
    asker: Principal
    rep: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Given:
    answer: Answer
    question: MetricQuery
    as_seen_by: dict[str, Any]
    """The name, the role and the rep of whoever it was asked as."""


async def give(
    database: Database,
    reader: Principal,
    nouns: Nouns,
    metrics: MetricCatalogue,
    held: Held,
    *,
    timeout_ms: int,
    **instead: Any,
) -> Given:
    """The numbers, for a reader who may have them. `instead` is what the face asks otherwise (`shape`).

    Raises Conflict where the question that was good once is not any more: a record is renamed, a metric is gone.
    """
    asker = held.asker
    try:
        question = from_json(metrics, asker, {**held.question, **instead})
        _demand_readable(reader, question)
        [found] = await moment.answers(database, asker, nouns, metrics, [question], timeout_ms=timeout_ms)
    except (Invalid, NotFound) as error:
        raise Conflict(
            f"What it asks cannot be answered any more. {error.detail}", code="unanswerable"
        ) from None
    seen_by = {"name": asker.name, "role": asker.role, "rep": None if held.rep is None else dict(held.rep)}
    return Given(found, question, seen_by)


def _demand_readable(reader: Principal, question: MetricQuery) -> None:
    """Whoever may not ask for a number is not given it by somebody else."""
    for metric in question.metrics:
        if metric.read_roles is not None and reader.role not in metric.read_roles:
            raise Forbidden(f"{metric.name} is not for your role.")
