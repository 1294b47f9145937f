"""The nouns of who sells, and of the tenant's own settings."""

from __future__ import annotations

from app.ground import fiscal
from app.ground.access import models as access
from app.ground.access.custom import KINDS
from app.ground.access.principal import ROLES
from app.language.resources import fields as f
from app.language.resources.resource import Child, Listing, Resource
from app.sales.org import calendars, hierarchy, models
from app.sales.org import custom_fields as fields_of_tenants
from app.sales.org.actions import reassign_manager

reps = Resource(
    name="rep",
    plural="reps",
    title="Rep",
    description="A person who sells, or who leads those who do. Everyone in the tenant sees the directory.",
    table=models.reps,
    history=models.reps_history,
    search=("name", "email"),
    fields=(
        f.text("name", "Full name.", "Darcel Schlecht", required=True),
        f.text("email", "Work e-mail.", "rep@example.com"),
        f.text("title", "Job title.", "Account Executive"),
        f.choice("function", "What kind of selling this person does.", models.REP_FUNCTIONS),
        f.reference("manager_id", "reps", "The direct manager; null at the top."),
        f.reference("team_id", "teams", "The team."),
        f.reference("territory_id", "territories", "The territory that this rep covers."),
        f.reference(
            "working_calendar_id",
            "working_calendars",
            "When this rep works; by the default calendar when null.",
        ),
        f.day("hired_on", "First day.", "2024-02-01"),
        f.day("left_on", "Last day; null while employed."),
        f.choice("status", "Whether this rep sells now.", ("active", "inactive"), default="active"),
    ),
    listings=(
        Listing(
            name="reports",
            target="reps",
            via="manager_id",
            description="Those who report directly to this rep.",
        ),
        Listing(
            name="opportunities",
            target="opportunities",
            via="owner_id",
            description="Deals that this rep owns.",
        ),
        Listing(name="quotas", target="quotas", via="rep_id", description="What is expected of this rep."),
        Listing(
            name="quota_reliefs",
            target="quota_reliefs",
            via="rep_id",
            description="What of it this rep is let off.",
        ),
    ),
    actions=(reassign_manager,),
    default_sort=("name",),
    check=hierarchy.refuse_cycles,
    settled=hierarchy.close,
)

teams = Resource(
    name="team",
    plural="teams",
    title="Team",
    description="Reps who work together.",
    table=models.teams,
    history=models.teams_history,
    fields=(
        f.text("name", "Name.", "Enterprise East", required=True),
        f.reference("parent_id", "teams", "The team above."),
    ),
    listings=(Listing(name="reps", target="reps", via="team_id", description="The members."),),
    default_sort=("name",),
)

territories = Resource(
    name="territory",
    plural="territories",
    title="Territory",
    description="A part of the market; reps and accounts are assigned to it with effective dates.",
    table=models.territories,
    history=models.territories_history,
    fields=(
        f.text("name", "Name.", "West", required=True),
        f.reference("parent_id", "territories", "The territory that contains this one."),
    ),
    listings=(Listing(name="reps", target="reps", via="territory_id", description="The reps who cover it."),),
    default_sort=("name",),
)

fiscal_calendars = Resource(
    name="fiscal_calendar",
    plural="fiscal_calendars",
    title="Fiscal calendar",
    description=(
        "When fiscal years begin and what their twelve periods are: months, or whole weeks (4-4-5 and its like) with "
        "a 53rd week in period 12 of some years. The periods are rows from 1990 to 2060."
    ),
    table=models.fiscal_calendars,
    history=models.fiscal_calendars_history,
    fields=(
        f.text("name", "Name.", "Fiscal year from February", required=True),
        f.integer(
            "start_month", "First month of the fiscal year, 1 to 12.", 2, default=1, minimum=1, maximum=12
        ),
        f.choice(
            "pattern",
            "The three periods of a quarter: calendar months, or so many weeks each.",
            fiscal.PATTERNS,
            default="months",
            example="weeks_4_5_4",
        ),
        f.choice(
            "week_starts_on",
            "First day of a week, where periods are weeks; a year ends on the day before.",
            fiscal.WEEKDAYS,
            default="monday",
            example="sunday",
        ),
        f.choice(
            "anchor",
            "Where periods are weeks: the year ends on the `last` such day of the month before "
            "`start_month`, or on the one `nearest` to the end of that month.",
            fiscal.ANCHORS,
            default="nearest",
            example="nearest",
        ),
        f.choice(
            "named_for",
            "The calendar year for which a fiscal year is named: that of its nominal end or start. FY2026 "
            "from February begins in 2025 or in 2026.",
            fiscal.NAMINGS,
            default="end",
        ),
        f.flag("is_default", "Whether fiscal words in queries mean this calendar.", default=False),
    ),
    default_sort=("name",),
    settled=calendars.write_periods,
    unique=(("is_default",),),
)

holidays = Child(
    name="holidays",
    singular="holiday",
    table=models.holidays,
    history=models.holidays_history,
    parent="calendar_id",
    description="Days that are off, each day once.",
    key=("day",),
    fields=(
        f.day("day", "The day.", "2026-12-25", required=True),
        f.text("name", "What it is called.", "Christmas Day", required=True),
        f.number(
            "share", "The part of the day that is off: 1, or 0.5 for half a day.", 1,
            default=1, minimum=0.000001, maximum=1,
        ),
    ),
)  # fmt: skip

working_calendars = Resource(
    name="working_calendar",
    plural="working_calendars",
    title="Working calendar",
    description=(
        "When people work: the hours of each weekday, and the holidays. A rep goes by its own, else by the default "
        "one; where there is neither, days of work are not known."
    ),
    table=models.working_calendars,
    history=models.working_calendars_history,
    fields=(
        f.text("name", "Name.", "Germany, 40 hours", required=True),
        f.text("country", "Whose holidays these are.", "DE", max_length=80),
        *(
            f.number(
                name, f"Hours of work on a {day.capitalize()}; 0 where it is no working day.", hours,
                default=hours, minimum=0, maximum=24,
            )
            for name, day, hours in zip(models.HOURS, fiscal.WEEKDAYS, (8, 8, 8, 8, 8, 0, 0), strict=True)
        ),
        f.flag("is_default", "Whether those go by it who have none of their own.", default=False),
    ),
    children=(holidays,),
    listings=(Listing(name="reps", target="reps", via="working_calendar_id", description="Who goes by it."),),
    default_sort=("name",),
    unique=(("is_default",),),
)  # fmt: skip

exchange_rates = Resource(
    name="exchange_rate",
    plural="exchange_rates",
    title="Exchange rate",
    description=(
        "One unit of `from_currency` is worth `rate` units of `to_currency` from this day until the next rate. "
        "A day without a rate on or before it leaves amounts unpriced; it never blocks a write."
    ),
    table=models.exchange_rates,
    history=models.exchange_rates_history,
    fields=(
        f.text("from_currency", "ISO 4217 code.", "EUR", required=True, max_length=3, currency=True),
        f.text("to_currency", "ISO 4217 code.", "USD", required=True, max_length=3, currency=True),
        f.day("on_day", "First day on which the rate holds.", required=True),
        f.number(
            "rate", "Multiplier, at most ten decimals.", 1.0845, required=True, minimum=1e-10, maximum=1e9
        ),
    ),
    label="from_currency",
    default_sort=("-on_day",),
    unique=(("from_currency", "to_currency", "on_day"),),
)

picklist_values = Resource(
    name="picklist_value",
    plural="picklist_values",
    title="Picklist value",
    description=(
        "A value that a picklist field offers. Values outside the list are kept when they come in and reported by "
        "`describe`; `aliases` are rewritten to `value` on the way in."
    ),
    table=models.picklist_values,
    history=None,
    fields=(
        f.text("field", "Noun and field.", "opportunity.loss_reason", required=True),
        f.text("value", "What is stored.", "price", required=True, max_length=120),
        f.text("label", "What people read.", "Price", required=True),
        f.integer("position", "Order in the list.", 1, default=0),
        f.flag("active", "Whether it is offered for new records.", default=True),
        f.json_list("aliases", "Other spellings that mean this value.", ["Too expensive"], default=[]),
    ),
    label="label",
    default_sort=("field", "position"),
    unique=(("field", "value"),),
)

custom_fields = Resource(
    name="custom_field",
    plural="custom_fields",
    title="Custom field",
    description=(
        "A field that the tenant adds to a noun, whose records then carry it under `custom`. A deleted one is retired: "
        "it is not shown any more, and its values are kept for when it is restored. What a picklist offers stands in "
        "`picklist_values`, under `opportunity.custom.<name>`."
    ),
    table=access.custom_fields,
    history=None,
    fields=(
        f.text("noun", "The noun, by its plural.", "opportunities", required=True, write="create", max_length=60),
        f.text(
            "name", "What it is called in `custom`: a-z, 0-9 and _.", "buying_reason",
            required=True, write="create", max_length=40,
        ),
        f.choice("kind", "What it holds.", KINDS, required=True, write="create", example="picklist"),
        f.text("title", "What people read.", "Buying reason", required=True),
        f.text("description", "What it means, and who fills it in.", "Why they buy now.", max_length=1000),
        f.integer("position", "Order in a form.", 1, default=0),
    ),
    label="title",
    default_sort=("noun", "position", "name"),
    check=fields_of_tenants.check,
    heard_at_once=True,
    unique=(("noun", "name"),),
)  # fmt: skip

users = Resource(
    name="user",
    plural="users",
    title="User",
    description="A person who signs in. The role says what the user may do, the rep whose work the user sees.",
    table=access.users,
    history=None,
    fields=(
        f.text("name", "Full name.", "Darcel Schlecht", required=True),
        f.text("email", "Work e-mail, unique in the tenant.", "darcel@example.com"),
        f.choice("role", "What the user may do.", ROLES, required=True, example="rep"),
        f.reference("rep_id", "reps", "The rep that this user is; managers see everyone below it."),
        f.flag("active", "Whether the user may come in.", default=True),
    ),
    default_sort=("name",),
    unique=(("email",),),
)

api_keys = Resource(
    name="api_key",
    plural="api_keys",
    title="API key",
    description="A key that a program comes in with. The key itself is shown once, when it is made.",
    table=access.api_keys,
    history=None,
    fields=(
        f.text("name", "What it is for.", "Nightly sync", write="never"),
        f.text("prefix", "What to recognise the key by.", "attain_01929b6e…Xk3_9aQ", write="never"),
        f.choice("role", "What it may do.", ROLES, example="integration", write="never"),
        f.reference("user_id", "users", "Whose key it is; it ends with that user.", write="never"),
        f.reference("rep_id", "reps", "The rep that it acts as.", write="never"),
        f.json_list(
            "scopes", "Narrows the role; empty means all of it.", ["opportunities:read"], write="never"
        ),
        f.moment("expires_at", "When it ends; null for never.", "2027-12-31T00:00:00Z", write="never"),
        f.moment("revoked_at", "When it was revoked; null while it stands.", write="never"),
        f.moment("last_used_at", "When it was last used, to within some seconds.", write="never"),
    ),
    operations=frozenset({"list", "get"}),
)

RESOURCES = (
    reps,
    teams,
    territories,
    fiscal_calendars,
    working_calendars,
    exchange_rates,
    picklist_values,
    custom_fields,
    users,
    api_keys,
)
