"""Working days and hours as PostgreSQL adds them up, against a walk from day to day."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Date, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import UUID as ID

from app.ground.database.session import compiled
from app.ground.errors import Invalid
from app.ground.fiscal import WEEKDAYS
from app.language.query.binds import Binds
from app.sales.org import working_time
from tests.sales.conftest import Firm

FIRST = date(2025, 11, 1)
DAY = timedelta(days=1)
HERE: dict[str, Any] = {
    "name": "Here", "is_default": True, "friday_hours": 6.5,
    "holidays": [
        {"day": "2025-12-25", "name": "Christmas Day"},
        {"day": "2025-12-24", "name": "Christmas Eve", "share": 0.5},
        {"day": "2026-01-01", "name": "New Year"},
        {"day": "2026-01-02", "name": "Bridge", "share": 0.333333},
        {"day": "2026-02-28", "name": "A Saturday"},
    ],
}  # fmt: skip
THERE: dict[str, Any] = {
    "name": "There", "country": "IL", "friday_hours": 0, "saturday_hours": 0, "sunday_hours": 7.25,
    "holidays": [{"day": "2026-02-01", "name": "A Sunday"}],
}  # fmt: skip


def walked(calendar: dict[str, Any], first: date, last: date) -> tuple[Decimal, Decimal]:
    share = {x["day"]: Decimal(str(x.get("share", 1))) for x in calendar["holidays"]}
    days = hours = Decimal(0)
    for n in range((last - first).days):
        day = first + DAY * n
        usual = 0 if day.isoweekday() > 5 else 8
        worked = Decimal(str(calendar.get(f"{WEEKDAYS[day.weekday()]}_hours", usual)))
        if worked > 0:
            days += 1 - share.get(str(day), 0)
            hours += worked * (1 - share.get(str(day), Decimal(0)))
    return days, hours


async def asked(
    firm: Firm, reps: list[UUID], spans: list[tuple[date, date]], **moments: datetime
) -> list[tuple[Decimal, Decimal] | None]:
    """For each rep and its span."""
    binds = Binds.of(firm.principal, as_of=bool(moments))
    binds.known_now = "known_at" not in moments
    rep, first, last = (
        literal_column(f"asked.{x}", t) for x, t in (("rep", ID()), ("first", Date()), ("last", Date()))
    )
    rows = func.unnest(
        bindparam("reps", type_=ARRAY(ID(as_uuid=True)), required=True),
        bindparam("firsts", type_=ARRAY(Date()), required=True),
        bindparam("lasts", type_=ARRAY(Date()), required=True),
    ).table_valued("rep", "first", "last", with_ordinality="place").render_derived(name="asked")  # fmt: skip
    worked = working_time.worked(binds, working_time.of_rep(binds, rep), first, last)
    question = compiled(
        select(worked.c.working_days, worked.c.working_hours)
        .select_from(rows.outerjoin(worked, true()))
        .order_by(rows.c.place)
    )
    async with firm.database.transaction(firm.principal.tenant_id) as session:
        found = await session.fetch(
            question, reps=reps, firsts=[x for x, _ in spans], lasts=[x for _, x in spans],
            **binds.standing(firm.principal), **moments,
        )  # fmt: skip
    return [None if row["working_days"] is None else tuple(row) for row in found]


async def ids(firm: Firm) -> list[UUID]:
    async with firm.database.transaction(firm.principal.tenant_id) as session:
        rows = await session.connection.fetch("select id from reps where tenant_id = $1", session.tenant_id)
    return [row["id"] for row in rows]


SPANS = [(FIRST, FIRST + 90 * DAY), (FIRST, FIRST), (date(2026, 1, 1), date(2027, 1, 1)),
         (date(1995, 5, 17), date(2061, 1, 3)), (date(2026, 3, 1), date(2026, 2, 1))]  # fmt: skip


async def test_every_span_is_its_days(firm: Firm) -> None:
    reps = await ids(firm)
    assert await asked(firm, reps[:2], SPANS[:2]) == [None, None]
    await firm.create("working_calendars", HERE)
    there = (await firm.create("working_calendars", THERE)).id
    await firm.patch("reps", reps[1], {"working_calendar_id": str(there)})
    chance = random.Random(26)
    spans = [*SPANS]
    while len(spans) < 400:
        begin = FIRST + DAY * chance.randrange(200)
        spans.append((begin, begin + DAY * chance.choice((1, 2, 7, 8, 30, 91, 365))))
    for rep, calendar in ((reps[0], HERE), (reps[1], THERE)):
        found = await asked(firm, [rep] * len(spans), spans)
        assert found == [walked(calendar, *span) for span in spans]


async def test_a_deleted_calendar_gives_way_to_the_default(firm: Firm) -> None:
    rep, span = (await ids(firm))[0], SPANS[0]
    there = (await firm.create("working_calendars", THERE)).id
    await firm.patch("reps", rep, {"working_calendar_id": str(there)})
    assert await asked(firm, [rep], [span]) == [walked(THERE, *span)]
    await firm.delete("working_calendars", there)
    assert await asked(firm, [rep], [span]) == [None]
    await firm.create("working_calendars", HERE)
    assert await asked(firm, [rep], [span]) == [walked(HERE, *span)]
    await firm.restore("working_calendars", there)
    assert await asked(firm, [rep], [span]) == [walked(THERE, *span)]


async def test_the_past_keeps_its_calendar(firm: Firm) -> None:
    rep, span = (await ids(firm))[0], SPANS[0]
    nothing = datetime.now(UTC)
    here = (await firm.create("working_calendars", HERE)).id
    before = datetime.now(UTC)
    more = [{"day": "2025-12-26", "name": "Boxing Day"}]
    await firm.patch("working_calendars", here, {"holidays_merge": more, "monday_hours": 4})
    changed = HERE | {"monday_hours": 4, "holidays": HERE["holidays"] + more}
    assert await asked(firm, [rep], [span]) == [walked(changed, *span)]
    assert await asked(firm, [rep], [span], as_of=before) == [walked(HERE, *span)]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    # Its days are dated themselves: what was first told of it holds for any moment before.
    assert await asked(firm, [rep], [span], as_of=long_ago) == [walked(HERE, *span)]
    known = await asked(firm, [rep], [span], as_of=long_ago, known_at=datetime.now(UTC))
    assert known == [walked(HERE, *span)]
    assert await asked(firm, [rep], [span], as_of=long_ago, known_at=nothing) == [None]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"monday_hours": 24.5}, "/monday_hours"),
        ({"sunday_hours": -1}, "/sunday_hours"),
        ({"holidays": [{"day": "2026-12-25", "name": "Christmas", "share": 0}]}, "/holidays/0/share"),
        ({"holidays": [{"day": "2026-12-25", "name": "Christmas", "share": 1.5}]}, "/holidays/0/share"),
        ({"holidays": [{"day": "2026-12-25", "name": x} for x in "ab"]}, "/holidays/1"),
    ],
)
async def test_what_no_calendar_can_be_is_refused(firm: Firm, change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        await firm.create("working_calendars", HERE | change)
    assert [x.pointer for x in refused.value.errors] == [pointer]
