"""Tables of who sells: reps, teams, territories, the reach of each manager; the tenant's calendars, rates and lists."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from app.ground.database.tables import RATIO, child_table, history_of, record_table, ref, tenant_table
from app.ground.fiscal import WEEKDAYS

teams = record_table("teams", Column("name", Text, nullable=False), ref("parent_id", "teams"))
teams_history = history_of(teams)

territories = record_table(
    "territories", Column("name", Text, nullable=False), ref("parent_id", "territories")
)
territories_history = history_of(territories)

REP_FUNCTIONS = ("field", "inside", "sales_engineer", "manager", "overlay", "operations")

reps = record_table(
    "reps",
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("title", Text),
    Column("function", Text),
    ref("manager_id", "reps"),
    ref("team_id", "teams"),
    ref("territory_id", "territories"),
    ref("working_calendar_id", "working_calendars"),
    Column("hired_on", Date),
    Column("left_on", Date),
    Column("status", Text, nullable=False, server_default=text("'active'")),
    CheckConstraint("status in ('active', 'inactive')", name="status"),
    Index("ix_reps_manager_id", "tenant_id", "manager_id"),
)
reps_history = history_of(reps)

rep_reach = tenant_table(
    "rep_reach",
    Column("manager_id", UUID(as_uuid=True), nullable=False),
    Column("rep_id", UUID(as_uuid=True), nullable=False),
    Column("depth", Integer, nullable=False),
    ForeignKeyConstraint(["tenant_id", "manager_id"], ["reps.tenant_id", "reps.id"]),
    ForeignKeyConstraint(["tenant_id", "rep_id"], ["reps.tenant_id", "reps.id"]),
    Index("ix_rep_reach_rep_id", "tenant_id", "rep_id"),
    key=("manager_id", "rep_id"),
)
"""Today's hierarchy, closed: every rep with everyone above, and with itself at depth 0. Kept by the write path."""

fiscal_calendars = record_table(
    "fiscal_calendars",
    Column("name", Text, nullable=False),
    Column("pattern", Text, nullable=False, server_default=text("'months'")),
    Column("start_month", Integer, nullable=False, server_default=text("1")),
    Column("week_starts_on", Text, nullable=False, server_default=text("'monday'")),
    Column("anchor", Text, nullable=False, server_default=text("'nearest'")),
    Column("named_for", Text, nullable=False, server_default=text("'end'")),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("pattern in ('months', 'weeks_4_4_5', 'weeks_4_5_4', 'weeks_5_4_4')", name="pattern"),
    CheckConstraint("start_month between 1 and 12", name="start_month"),
    CheckConstraint(
        "week_starts_on in "
        "('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')",
        name="week_starts_on",
    ),
    CheckConstraint("anchor in ('last', 'nearest')", name="anchor"),
    CheckConstraint("named_for in ('end', 'start')", name="named_for"),
    Index(
        "uq_fiscal_calendars_default", "tenant_id", unique=True,
        postgresql_where=text("is_default and deleted_at is null"),
    ),
)  # fmt: skip
fiscal_calendars_history = history_of(fiscal_calendars)

fiscal_periods = tenant_table(
    "fiscal_periods",
    Column("calendar_id", UUID(as_uuid=True), nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("quarter", Integer, nullable=False),
    Column("period", Integer, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    ForeignKeyConstraint(["tenant_id", "calendar_id"], ["fiscal_calendars.tenant_id", "fiscal_calendars.id"]),
    Index("ix_fiscal_periods_starts_on", "tenant_id", "calendar_id", "starts_on"),
    key=("calendar_id", "fiscal_year", "period"),
)
"""A calendar's periods as rows, `[starts_on, ends_on)`, so that every family of calendars is the same to a query."""

HOURS = tuple(f"{weekday}_hours" for weekday in WEEKDAYS)
"""The hours that are worked on each weekday, Monday first."""

working_calendars = record_table(
    "working_calendars",
    Column("name", Text, nullable=False),
    Column("country", Text),
    *(
        Column(name, Numeric(8, 6), nullable=False, server_default=text("0" if name[0] == "s" else "8"))
        for name in HOURS
    ),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(f"least({', '.join(HOURS)}) >= 0 and greatest({', '.join(HOURS)}) <= 24", name="hours"),
    Index(
        "uq_working_calendars_default", "tenant_id", unique=True,
        postgresql_where=text("is_default and deleted_at is null"),
    ),
)  # fmt: skip
working_calendars_history = history_of(working_calendars)

holidays = child_table(
    "holidays",
    "calendar_id",
    ref("calendar_id", "working_calendars", nullable=False),
    Column("day", Date, nullable=False),
    Column("name", Text, nullable=False),
    Column("share", RATIO, nullable=False, server_default=text("1")),
    CheckConstraint("share > 0 and share <= 1", name="share"),
    Index("ix_holidays_day", "tenant_id", "calendar_id", "day"),
)
holidays_history = history_of(holidays)

exchange_rates = record_table(
    "exchange_rates",
    Column("from_currency", Text, nullable=False),
    Column("to_currency", Text, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("rate", Numeric(20, 10), nullable=False),
    CheckConstraint("rate > 0", name="rate"),
    Index(
        "uq_exchange_rates_day", "tenant_id", "from_currency", "to_currency", "on_day", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
)  # fmt: skip
exchange_rates_history = history_of(exchange_rates)

picklist_values = record_table(
    "picklist_values",
    Column("field", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("aliases", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Index(
        "uq_picklist_values_value", "tenant_id", "field", "value", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
)  # fmt: skip
