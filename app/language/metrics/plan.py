"""A question made ready to be asked: its moments, its buckets and the values of its filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.ground import fiscal
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import Invalid
from app.ground.fiscal import Calendar, Span
from app.language.metrics import compile as compiler
from app.language.metrics.metric import AtStart, Before, Measure, Metric, Part, Population, Trailing, Visible
from app.language.metrics.nouns import Nouns, resolve
from app.language.metrics.question import MetricQuery
from app.language.query import periods
from app.language.query.binds import Binds
from app.language.query.periods import Bucket

Window = tuple[str, int]
"""`("inside", 0)`: dated inside the bucket, read as of the question's moment. `("end", 0)`: as of the bucket's last
instant. `("trailing", m)`: the m months up to there, as of there. `("before", 0)`: dated inside the stretch before the
bucket, read as of the question's moment."""


def window_of(metric: Metric, part: Part) -> tuple[Measure, Window]:
    if isinstance(part, Trailing):
        return part.measure, ("trailing", part.months)
    if isinstance(part, Before):
        return part.measure, ("before", 0)
    if isinstance(part, AtStart):
        return part.measure, ("start", 0)
    if metric.at_end or part.population.kind == "stock":
        return part, ("end", 0)
    return part, ("inside", 0)


LONGEST_PERIOD = timedelta(days=372)
"""No named period is longer, a fiscal year of 53 weeks neither."""


class Slot(NamedTuple):
    """A bucket as one statement sees it: its range, and the moment as of which its rows are read."""

    i: int
    starts: datetime
    ends: datetime
    first: date
    last: date
    at: datetime


@dataclass(slots=True)
class Asked:
    question: MetricQuery
    principal: Principal
    nouns: Nouns
    now: datetime
    zone: ZoneInfo
    calendar: Calendar
    days: Span | None
    binds: Binds
    settled: bool = False
    """Whether each bucket is told as it was when it ended, by what is known of it now."""
    filters: list[tuple[str, list[Any], bool]] = field(default_factory=list)
    """Dimension, the values asked for, whether those without a value are asked for too."""
    _buckets: dict[str | None, list[Bucket | None]] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        """`as_of`, or now."""
        return self.question.as_of or self.now

    @property
    def home(self) -> str:
        return self.principal.tenant.home_currency

    @property
    def past(self) -> bool:
        """Whether the question itself is of another moment than now, on either axis."""
        return self.question.as_of is not None or self.question.known_at is not None

    @property
    def rate_binds(self) -> Binds:
        binds = Binds.of(self.principal, as_of=self.past)
        binds.known_now = self.question.known_at is None
        return binds

    def visible(self, population: Population) -> Visible:
        return population.visible or self.nouns[population.fact.noun].visible

    def reasons(self, measure: Measure) -> list[str]:
        own = [reason for reason, _ in measure.exclusions]
        return [compiler.NO_AMOUNT, *own] if measure.money else own

    def buckets(self, grain: str | None) -> list[Bucket | None]:
        """Without a period the one bucket is the moment itself."""
        if grain not in self._buckets:
            days = self.days
            self._buckets[grain] = (
                [None] if days is None else [*periods.buckets(days, grain, self.zone, self.calendar)]
            )
        return self._buckets[grain]

    def slots(self, grain: str | None, window: Window) -> list[Slot]:
        return [self._slot(i, bucket, window) for i, bucket in enumerate(self.buckets(grain))]

    def _slot(self, i: int, bucket: Bucket | None, window: Window) -> Slot:
        kind, months = window
        if kind == "before" and bucket is not None:
            at = self._read_at(bucket)
            bucket = periods.bucket(self._preceding(bucket), self.zone)
            return Slot(i, bucket.starts, bucket.ends, bucket.first, bucket.last, at)
        if kind == "start" and bucket is not None:
            bucket = self._stretched(bucket)
            begun = bucket.starts <= self.moment
            last, at = (bucket.last, bucket.starts) if begun else (bucket.first, self.moment)
            return Slot(i, bucket.starts, bucket.ends, bucket.first, last, at)
        if kind == "inside" and bucket is not None:
            at = self._read_at(bucket)
            bucket = self._stretched(bucket)
            return Slot(i, bucket.starts, bucket.ends, bucket.first, bucket.last, at)
        today = periods.day_of(self.moment, self.zone)
        at = self.moment if bucket is None else min(bucket.ends - periods.INSTANT, self.moment)
        whole = bucket
        if kind == "trailing" or whole is None:
            last = bucket.last if bucket is not None and at < self.moment else today + timedelta(days=1)
            whole = periods.bucket((_months_before(last, months) if months else today, last), self.zone)
        else:
            whole = self._stretched(whole)
        return Slot(i, whole.starts, whole.ends, whole.first, whole.last, at)

    def _read_at(self, bucket: Bucket) -> datetime:
        return min(bucket.ends - periods.INSTANT, self.moment) if self.settled else self.moment

    def _stretched(self, bucket: Bucket) -> Bucket:
        """The bucket as far back as the question looks from its end; one that is not over ends with today."""
        if self.question.running and self.days is not None:
            return periods.bucket((self.days[0], bucket.last), self.zone)
        if self.question.window is None:
            return bucket
        tomorrow = periods.day_of(self.moment, self.zone) + timedelta(days=1)
        last = tomorrow if bucket.first < tomorrow < bucket.last else bucket.last
        return periods.bucket((_before(last, *self.question.window), last), self.zone)

    def _preceding(self, bucket: Bucket) -> Span:
        """What comes before a bucket, as if it had been asked for alone."""
        stretch = self._stretched(bucket)
        first, last = stretch.first, stretch.last
        written = self.question.period if (first, last) == self.days else None
        begin, end = fiscal.before(written or "", (first, last), self.calendar)
        tomorrow = periods.day_of(self.moment, self.zone) + timedelta(days=1)
        if first < tomorrow < last:
            end = min(begin + (tomorrow - first), end)
        return max(begin, fiscal.FIRST_DAY), max(end, fiscal.FIRST_DAY)

    def shape(
        self,
        population: Population,
        measures: tuple[Measure, ...],
        by: tuple[str, ...],
        slots: Sequence[Slot],
    ) -> compiler.Shape:
        return compiler.Shape(
            population=population,
            measures=measures,
            by=by,
            filters=tuple((name, bool(values), nobody) for name, values, nobody in self.filters),
            history=self.past or any(slot.at < self.moment for slot in slots),
            known_now=self.question.known_at is None,
            once=len({slot.at for slot in slots}) == 1,
            credit=self.question.credit,
            attribution=self.question.attribution,
            daily_rates=self.question.fx == "transaction" and population.kind == "flow",
            asker=self.binds.signature,
        )

    def rate_day(self, population: Population, slot: Slot, day: date | None) -> date:
        """The day whose rate converts a row: its own, the end of its bucket, or the constant one."""
        if self.question.constant_day is not None:
            return self.question.constant_day
        if self.question.fx == "period_end":
            return periods.day_of(min(slot.ends - periods.INSTANT, self.moment), self.zone)
        if population.kind == "flow":
            # Without a day of its own a row is in the wanted currency already.
            return day or slot.first
        return periods.day_of(slot.at, self.zone)

    def every(self, slots: Sequence[Slot]) -> dict[str, Any]:
        """What a statement says once for all of the question's buckets, whichever of them it asks about."""
        first = min((slot.first for slot in slots), default=self.now.date())
        last = max((slot.last for slot in slots), default=self.now.date())
        return {
            "every_at": min((slot.at for slot in slots), default=self.moment),
            "every_first": first,
            "every_last": last,
            # Wide enough for every quota that touches a bucket, and whatever shares a day with it.
            "span_first": first - LONGEST_PERIOD,
            "span_last": last + LONGEST_PERIOD,
        }

    def values(self, slots: Sequence[Slot]) -> dict[str, Any]:
        columns = {f"bucket_{name}": [slot[k] for slot in slots] for k, name in enumerate(Slot._fields)}
        return {
            **self.binds.standing(self.principal),
            "zone": self.question.timezone,
            "target": self.question.currency,
            "as_of": self.moment,
            "asked": self.moment,
            "known_at": self.question.known_at or self.now,
            **self.every(slots),
            **{self.question.dimension(name).asked: values for name, values, _ in self.filters},
            **{f"c_{own}": own for name in self.question.added for own in [name.rpartition(".")[2]]},
            **columns,
        }


def _before(day: date, count: int, unit: str) -> date:
    # Whoever looks back further than anything was means all of it.
    if unit in ("day", "week"):
        return fiscal.after(
            unit, day, -min(count, (day - fiscal.FIRST_DAY).days // (7 if unit == "week" else 1))
        )
    months = count * {"month": 1, "quarter": 3, "year": 12}[unit]
    return _months_before(day, min(months, (day.year - fiscal.FIRST_DAY.year) * 12))


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day where it has no such day."""
    first = fiscal.month_after(day.replace(day=1), -months)
    return min(first + timedelta(days=day.day - 1), fiscal.month_after(first, 1) - timedelta(days=1))


async def prepare(
    session: Session, principal: Principal, nouns: Nouns, question: MetricQuery, now: datetime | None
) -> Asked:
    now = now or datetime.now(UTC)
    zone = periods.zone(question.timezone)
    calendar = await periods.calendar(session) if _speaks_fiscally(question) else Calendar([])
    days = None
    if question.period is not None:
        days = periods.period(question.period, periods.day_of(question.as_of or now, zone), calendar)
    asked = Asked(question, principal, nouns, now, zone, calendar, days, Binds.of(principal))
    # Refused before anything is asked, where the grain cuts it too finely.
    asked.buckets(question.grain)
    for name, written in question.filters.items():
        values, nobody = await resolve(
            session, principal, nouns, question.dimension(name), written, question.as_of
        )
        asked.filters.append((name, values, nobody))
    return asked


def beside(asked: Asked) -> Asked | None:
    """The same question of the period that it is compared with."""
    question, days, calendar = asked.question, asked.days, asked.calendar
    if question.compare is None or days is None or question.period is None:
        return None
    match question.compare:
        case "previous":
            other = fiscal.before(question.period, days, calendar)
        case "same_length":
            other = (days[0] - (days[1] - days[0]), days[0])
        case "year_ago":
            other = fiscal.year_before(days, calendar)
        case written:
            other = periods.period(written, periods.day_of(asked.moment, asked.zone), calendar, "?compare")
    if other[0] < fiscal.FIRST_DAY or other[0] >= other[1]:
        raise Invalid.field("?compare", "outside_calendar", "There is no such period before this one.")
    found = replace(asked, days=other, _buckets={})
    found.buckets(question.grain)
    return found


def restated(asked: Asked) -> Asked | None:
    """The same question, each of its buckets as it stood in its last instant: a deal that was won and has been reopened
    since is won there."""
    return replace(asked, settled=True) if asked.question.restated else None


def asks_ahead(question: MetricQuery) -> bool:
    """Whether something must be looked up before it can be asked."""
    return _speaks_fiscally(question) or any(question.dimension(name).noun for name in question.filters)


def _speaks_fiscally(question: MetricQuery) -> bool:
    words = f"{question.period} {question.grain} {question.compare}"
    return "FY" in words or "fiscal" in words or "fytd" in words or "fqtd" in words
