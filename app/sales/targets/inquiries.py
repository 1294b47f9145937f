"""What is asked about a quota: whether its amount can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.ground import fiscal
from app.language.metrics import answer
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import parse
from app.language.query import periods
from app.language.resources.answers import Document, Money, Number
from app.language.resources.resource import ActionCall, Inquiry
from app.sales.targets.metrics import METRICS
from app.sales.targets.metrics.others import OTHER_ATTAINMENT as OTHERS
from app.sales.targets.realism import Past, achievable, bands, likelihood

PERIODS = 8
"""How far back it looks: two years of quarters."""
_NUMBERS = MetricCatalogue(METRICS)
_MONEY = frozenset(x.name.removesuffix("_attainment") for x in OTHERS if x.measures["quota"].money) | {
    "bookings"
}
_HOLDERS = ("rep", "team", "territory")


class Realism(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    amount: float | None = Field(
        default=None, description="Another amount for the whole period; the quota's own when left out.", ge=0,
        le=999_999_999_999, examples=[150_000],
    )  # fmt: skip


class PastPeriod(Document):
    """What the holder reached in a period before."""

    starts_on: date = Field(description="First day.", examples=["2025-10-01"])
    ends_on: date = Field(description="First day after the last one.", examples=["2026-01-01"])
    reached: Money = Field(description="What it reached.", examples=[112_000])
    quota: Money | None = Field(description="Its effective quota; null without one.", examples=[100_000])
    attainment: Number | None = Field(description="The first ÷ the second.", examples=[1.12])


class Achievable(Document):
    """What was reached in periods like this one."""

    periods: int = Field(description="Of how many periods it is made.", examples=[8])
    median: Money | None = Field(description="Half of them reached it.", examples=[98_000])
    p75: Money | None = Field(description="A quarter of them reached it.", examples=[121_000])
    best: Money | None = Field(description="The best of them.", examples=[140_000])


class Band(Document):
    """How many attained how much."""

    band: str = Field(description="Attainment in percent.", examples=["100_to_120"])
    count: int = Field(description="How many periods of holders.", examples=[3])


class Likelihood(Document):
    """In how many periods of holders the amount was reached."""

    reached: int = Field(description="In so many.", examples=[14])
    n: int = Field(description="Of so many.", examples=[32])
    share: Number | None = Field(description="The first ÷ the second; null without any.", examples=[0.4375])
    low: Number | None = Field(description="Lower end of Wilson's interval at 95 %.", examples=[0.28])
    high: Number | None = Field(description="Upper end.", examples=[0.61])
    small_sample: bool = Field(description="Whether these are fewer than 30.", examples=[False])


class RealismAnswer(Document):
    """Whether a quota can be reached, by what the past says."""

    metric: str = Field(description="What the quota is of.", examples=["bookings"])
    amount: Money = Field(description="The amount that is judged.", examples=[150_000])
    currency: str | None = Field(
        description="ISO 4217 code of the amounts; null where they are counts.", examples=["USD"]
    )
    history: list[PastPeriod] = Field(
        description="The holder's own, latest first; those in which it was there."
    )
    own: Achievable = Field(description="What the holder has reached.")
    peers: Achievable = Field(
        description="What all that you see have reached: reps, teams or territories like it."
    )
    attainment: list[Band] = Field(description="How the attainment of all of them is spread.")
    likelihood: Likelihood = Field(description="How often any of them reached the amount.")


async def _realism(call: ActionCall) -> dict[str, Any]:
    quota = call.record
    by = next(name for name in _HOLDERS if quota[f"{name}_id"] is not None)
    holder = str(quota[f"{by}_id"])
    amount = quota["amount"] if call.input.amount is None else Decimal(repr(call.input.amount))
    past = await _past(call, by)
    own = [(days, one) for days, those in past for one in those if one.holder == holder]
    everyone = [one for _, those in past for one in those]
    return {
        "metric": quota["metric"],
        "amount": amount,
        "currency": quota["currency"] if quota["metric"] in _MONEY else None,
        "history": [
            {
                "starts_on": days[0],
                "ends_on": days[1],
                "reached": one.reached,
                "quota": one.quota,
                "attainment": one.quota and round(one.reached / one.quota, 6),
            }
            for days, one in own
        ],
        "own": achievable([one for _, one in own]),
        "peers": achievable(everyone),
        "attainment": bands(everyone),
        "likelihood": likelihood(everyone, amount),
    }


async def _past(call: ActionCall, by: str) -> list[tuple[fiscal.Span, list[Past]]]:
    """The periods like the quota's that are over, latest first, each with all that the asker sees of it. Whoever
    reached nothing and was expected nothing was not there."""
    quota = call.record
    name = "quota_attainment" if quota["metric"] == "bookings" else f"{quota['metric']}_attainment"
    spans = await _spans(call)
    questions = [
        parse(
            _NUMBERS,
            call.principal,
            metrics=[name],
            period=f"{first}/{last}",
            by=[by],
            currency=quota["currency"],
        )
        for first, last in spans
    ]
    told = await answer.queries(call.session, call.principal, call.catalogue, _NUMBERS, questions)
    return [(days, _of(by, each.data)) for days, each in zip(spans, told, strict=True)]


def _of(by: str, rows: Sequence[dict[str, Any]]) -> list[Past]:
    found = []
    for row in rows:
        holder = row["dimensions"][by]["id"]
        quota = row["denominator"] or None
        if holder is not None and row["numerator"] is not None and (row["numerator"] or quota):
            found.append(Past(holder, row["numerator"], quota))
    return found


async def _spans(call: ActionCall) -> list[fiscal.Span]:
    quota = call.record
    calendar = await periods.calendar(call.session)
    today = datetime.now(UTC).astimezone(call.principal.tenant.zone).date()
    days: fiscal.Span = quota["starts_on"], quota["ends_on"]
    found: list[fiscal.Span] = []
    for _ in range(400):
        days = fiscal.before(quota["period"], days, calendar)
        if days[0] >= days[1] or len(found) == PERIODS:
            break
        if days[1] <= today:
            found.append(days)
    return found


INQUIRIES = (
    Inquiry(
        name="realism", noun="quotas", title="Check realism",
        description=(
            f"Whether the amount can be reached, by the last {PERIODS} periods of its length: what its holder has "
            "reached, what others like it have, how their attainment is spread, and how often anybody reached as much. "
            "You see of it what you see of the numbers."
        ),
        input=Realism, answer=RealismAnswer, run=_realism, reads=("metrics",),
    ),
)  # fmt: skip
