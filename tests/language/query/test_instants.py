"""100,000 instants in thirty zones, each in the buckets of every grain that PostgreSQL's clock and plain walks give.

The instants crowd where faults are: at local midnights, at changes of the clock, at the edges of fiscal years.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.ground.database.session import Database
from app.ground.fiscal import Calendar, Rule
from app.language.query import periods
from tests.ground.test_fiscal import walked

INSTANTS = 100_000
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
YEARS = (1996, 2000, 2004, 2006, 2009, 2012, 2015, 2017, 2020)
"""With leap days, and with years of 53 weeks by ISO and by the fiscal rules below."""
LATE = (2032, 2048, 2053)
ZONES: Mapping[str, tuple[int, ...]] = {
    "UTC": LATE, "America/New_York": LATE, "Europe/Berlin": LATE, "Europe/London": (), "Australia/Sydney": (),
    "America/Los_Angeles": (), "Pacific/Honolulu": (),
    # Names of old.
    "Asia/Calcutta": (), "Europe/Kiev": (), "America/Buenos_Aires": (1999, 2008),
    # Parts of an hour, and half an hour of summer.
    "Asia/Kathmandu": (), "Australia/Eucla": (2007,), "Pacific/Chatham": (), "Australia/Lord_Howe": (1999, 2008),
    "America/Caracas": (2007, 2016), "Asia/Pyongyang": (2018,),
    # Clocks that skip midnight, or go back to the day before.
    "America/Sao_Paulo": (2008, 2018), "Asia/Beirut": (2013, 2022), "Africa/Cairo": (1999, 2010, 2014),
    "America/Asuncion": (2010, 2022), "America/Santiago": (2008, 2019, 2022), "America/Havana": (1999, 2008, 2018),
    "Asia/Tehran": (1999, 2008, 2022), "Asia/Amman": (2002, 2013, 2018), "Asia/Gaza": (2008, 2011, 2013),
    "Atlantic/Azores": (1999, 2021),
    # One minute past midnight back to 23:01.
    "America/St_Johns": (1999, 2007, 2010),
    # A day that never was, a summer that ends for Ramadan, summers and winters by name only.
    "Pacific/Apia": (2010, 2011), "Africa/Casablanca": (2008, 2013, 2018), "Europe/Dublin": (),
}  # fmt: skip
RULES = {
    "months": Rule(start_month=2),
    "4-4-5": Rule("weeks_4_4_5", 1, "sunday", "last"),
    "4-5-4": Rule("weeks_4_5_4", 2, "sunday", "nearest", "start"),
    "5-4-4": Rule("weeks_5_4_4", 10, "monday", "nearest"),
}
Unit = tuple[date, date]

_DAYS = """
select (at at time zone zone)::date - date '1970-01-01' as day,
    ((at + interval '1 minute') at time zone zone)::date - date '1970-01-01' as soon
from unnest($1::timestamptz[], $2::text[]) as asked(at, zone)
"""
_UNITS = """
select day, unit, first::date, (first + length)::date as last
from unnest($1::date[]) as asked(day), (select interval '1 month') as one(month), lateral (values
    ('day', day::timestamp, interval '1 day'), ('week', date_trunc('week', day), interval '7 days'),
    ('month', date_trunc('month', day), interval '1 month'),
    ('quarter', date_trunc('quarter', day), interval '3 months'),
    ('year', date_trunc('year', day), interval '1 year'),
    ('months fiscal_period', date_trunc('month', day), interval '1 month'),
    ('months fiscal_quarter', date_trunc('quarter', day - month) + month, interval '3 months'),
    ('months fiscal_year', date_trunc('year', day - month) + month, interval '1 year')
) as units(unit, first, length)
"""


async def test_instants_lie_in_the_buckets_of_their_days(database: Database) -> None:
    assert len(ZONES) == 30
    chance = random.Random("instants")
    asked = [
        (zone, at) for zone in ZONES for at in drawn(chance, zone, INSTANTS // len(ZONES) + 1)
    ]  # fmt: skip
    assert len(asked) >= INSTANTS
    async with database.connection() as connection:
        told = await connection.fetch(_DAYS, [at for _, at in asked], [zone for zone, _ in asked])
        # A clock that goes back over midnight cannot be cut into days. It does so within a minute of the new day, and
        # that minute belongs to the day before, which is not over yet.
        days = [date(1970, 1, 1) + DAY * min(row["day"], row["soon"]) for row in told]
        ahead = {zone for (zone, _), row in zip(asked, told, strict=True) if row["soon"] < row["day"]}
        assert ahead == {"America/St_Johns"}
        rows = await connection.fetch(_UNITS, list(set(days)))
    expected = by_walking(set(days))
    for row in rows:
        expected.setdefault(row["unit"], {})[row["day"]] = row["first"], row["last"]
    found = {zone: buckets(zone) for zone in ZONES}
    wrong = [
        (zone, at, name)
        for (zone, at), day in zip(asked, days, strict=True)
        for name, (starts, units) in found[zone].items()
        if units[bisect_right(starts, at) - 1] != expected[name][day]
    ]
    assert not wrong, (len(wrong), wrong[:5])


def years(zone: str) -> list[int]:
    return sorted({*YEARS, *ZONES[zone]})


def drawn(chance: random.Random, zone: str, count: int) -> Iterator[datetime]:
    """A third each: anywhere, around local midnights, on days on which the clock is changed."""
    info = ZoneInfo(zone)
    usual = [date(year, 1, 1) + DAY * n for year in years(zone) for n in range(366)]
    first = {year: datetime(year, 1, 1, tzinfo=UTC) for year in years(zone)}
    changed = [
        begin + DAY * n
        for begin in first.values()
        for n in range(365)
        if info.utcoffset(begin + DAY * n) != info.utcoffset(begin + DAY * (n + 1))
    ]
    edges = [rule.first_day(year) for rule in RULES.values() for year in years(zone)]
    edges += [date(year, month, 1) for year in years(zone) for month in (1, 3, 4, 7, 10)]
    edges = sorted({*edges} & {*usual})
    for n in range(count):
        if n % 3 == 0 or (n % 3 == 1 and not changed):
            yield first[chance.choice(years(zone))] + DAY * 365 * chance.random()
        elif n % 3 == 1:
            yield chance.choice(changed) + DAY * chance.random() * 1.5
        else:
            midnight = datetime.combine(chance.choice((usual, edges)[n % 2]), time(), info).astimezone(UTC)
            yield midnight + chance.choice((0, 1, -1)) * chance.choice(
                (timedelta(microseconds=1), timedelta(seconds=1), MINUTE, MINUTE * 29, MINUTE * 61)
            )


def by_walking(days: set[date]) -> dict[str, dict[date, Unit]]:
    """Fiscal units of weeks, out of periods that were found week by week."""
    found: dict[str, dict[date, Unit]] = {}
    for name, rule in RULES.items():
        if name == "months":
            continue
        rows = walked(rule)
        for grain, size in (("fiscal_period", 1), ("fiscal_quarter", 3), ("fiscal_year", 12)):
            spans = [(rows[i][3], rows[i + size - 1][4]) for i in range(0, len(rows), size)]
            begins = [begin for begin, _ in spans]
            found[f"{name} {grain}"] = {day: spans[bisect_right(begins, day) - 1] for day in days}
    return found


def buckets(zone: str) -> dict[str, tuple[list[datetime], list[Unit]]]:
    """By grain where its buckets begin, and their days."""
    calendars = {name: Calendar.of(rule) for name, rule in RULES.items()}
    ever = [(date(1995, 1, 1), date(2055, 1, 1))]
    mondays = [date.fromisocalendar(year, 1, 1) - 7 * DAY for year in years(zone)]
    near = [(monday, monday + 55 * 7 * DAY) for monday in mondays]
    grains = [(x, x, calendars["months"], near) for x in ("day", "week")]
    grains += [(x, x, calendars["months"], ever) for x in ("month", "quarter", "year")]
    grains += [
        (f"{name} {x}", x, calendar, ever)
        for name, calendar in calendars.items()
        for x in ("fiscal_period", "fiscal_quarter", "fiscal_year")
    ]
    found: dict[str, tuple[list[datetime], list[Unit]]] = {}
    for name, grain, calendar, spans in grains:
        cut = [x for span in spans for x in periods.buckets(span, grain, ZoneInfo(zone), calendar)]
        # Of two that begin at once the later one holds: the other is a day that never was, or was cut short.
        ordered = sorted(cut, key=lambda x: (x.starts, x.ends))
        found[name] = [x.starts for x in ordered], [(x.first, x.last) for x in ordered]
    return found
