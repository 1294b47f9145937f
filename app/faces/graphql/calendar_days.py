"""The date table as a root field: what `GET /v1/calendar/days` answers."""

from __future__ import annotations

from typing import Any

import strawberry

from app.faces.graphql.build import Argument, Member, Run
from app.faces.graphql.finished import Finished
from app.faces.graphql.place import Place
from app.faces.graphql.scalars import Amount, Day, Moment
from app.ground.access.permissions import demand
from app.language.query import date_table


@strawberry.type(
    description="A row of the date table. Fiscal fields are null outside of the fiscal calendar."
)
class CalendarDay:
    date: Day
    weekday: int = strawberry.field(description="ISO 8601: 1 is Monday, 7 Sunday.")
    weekday_name: str
    iso_year: int = strawberry.field(description="The year that the ISO week belongs to.")
    iso_week: int
    iso_week_label: str = strawberry.field(description="As every label a period by its name.")
    iso_week_first_day: Day
    iso_week_last_day: Day
    month: int
    month_name: str
    month_label: str
    month_first_day: Day
    month_last_day: Day
    quarter: int
    quarter_label: str
    quarter_first_day: Day
    quarter_last_day: Day
    year: int
    year_label: str
    year_first_day: Day
    year_last_day: Day
    fiscal_year: int | None
    fiscal_year_label: str | None
    fiscal_year_first_day: Day | None
    fiscal_year_last_day: Day | None
    fiscal_quarter: int | None
    fiscal_quarter_label: str | None
    fiscal_quarter_first_day: Day | None
    fiscal_quarter_last_day: Day | None
    fiscal_period: int | None
    fiscal_period_label: str | None
    fiscal_period_first_day: Day | None
    fiscal_period_last_day: Day | None
    fiscal_week: int | None = strawberry.field(
        description="Seven days each from the fiscal year's first day on."
    )
    fiscal_week_label: str | None
    fiscal_week_first_day: Day | None
    fiscal_week_last_day: Day | None
    is_working_day: bool | None = strawberry.field(
        description="Whether any of it is worked; null without a working calendar."
    )
    working_days: Amount | None = strawberry.field(
        description="1, 0, or the rest of a day that is a holiday in part: to be summed."
    )
    working_hours: Amount | None
    holiday: str | None
    starts_at: Moment = strawberry.field(description="The first instant of the day in the zone.")
    ends_at: Moment = strawberry.field(
        description="The first instant of the next day. The same, where the zone skipped the day."
    )
    hours: Amount = strawberry.field(description="How long the day is: 23 or 25 where the clock is changed.")
    is_today: bool


@strawberry.type(description="A working calendar by id and name.")
class WorkingCalendarName:
    id: strawberry.ID
    name: str


@strawberry.type(description="How the days were told.")
class CalendarDaysMeta:
    period: str | None
    period_start: Day
    period_end: Day = strawberry.field(description="The first day behind the period.")
    timezone: str
    working_calendar: WorkingCalendarName | None = strawberry.field(
        description="By which the days are worked; null where there is none: count calendar days then."
    )


@strawberry.type(description="The date table.")
class CalendarDays:
    rows: list[CalendarDay]
    meta: CalendarDaysMeta


def member() -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        demand(ask.principal, "metrics", "read")
        question = date_table.parse(
            ask.principal,
            period=arguments.get("period"),
            first=arguments.get("from"),
            last=arguments.get("to"),
            timezone=arguments.get("timezone"),
            working_calendar=arguments.get("working_calendar"),
        )
        ask.charge(date_table.length(question))

        async def run() -> Finished:
            found = await ask.read(lambda session: date_table.answer(session, question))
            return Finished(place.take({"rows": found.data, "meta": found.meta}))

        return run

    return Member(
        "calendar_days",
        CalendarDays | None,
        f"The date table, at most {date_table.MOST_DAYS:,} days of it.",
        (
            Argument("period", str, "In any word that numbers take; else `from` and `to`."),
            Argument("from", Day, "The first day."),
            Argument("to", Day, "The first day that is no longer meant."),
            Argument("timezone", str, "Whose days; the tenant's when left out."),
            Argument(
                "working_calendar",
                strawberry.ID,
                "By whose working days; the default calendar's when left out.",
            ),
        ),
        resolve,
    )
