"""The nouns of what is expected, and of what of it is let off."""

from app.language.resources import fields as f
from app.language.resources.resource import Child, Resource
from app.sales.org import visibility
from app.sales.targets import attainable, models, periods, relief, seasons
from app.sales.targets.actions import ACTIONS

_ATTAINABLE = f"{', '.join(attainable.ATTAINABLE[:-1])} or {attainable.ATTAINABLE[-1]}"

versions = Child(
    name="versions",
    singular="version",
    table=models.quota_versions,
    history=models.quota_versions_history,
    parent="quota_id",
    description="Amounts that hold from a day within the period on; before the first of them `amount` holds.",
    key=("effective_from",),
    fields=(
        f.day("effective_from", "First day of this amount.", "2026-02-15", required=True),
        f.money("amount", "The amount for the whole period, as of then.", 120_000, required=True),
    ),
)

ramp_schedules = Resource(
    name="ramp_schedule",
    plural="ramp_schedules",
    title="Ramp schedule",
    description=(
        "What part of a quota is expected of a rep in each of its first months: a quota that names the schedule counts "
        "with that part. Months are counted from the rep's first day; behind the last one all is expected."
    ),
    table=models.ramp_schedules,
    history=models.ramp_schedules_history,
    fields=(
        f.text("name", "Name.", "Three months", required=True),
        f.numbers("months", "The part that is expected, month by month.", [0.25, 0.5, 0.75], most=36, maximum=1.0,
                  required=True),
    ),
    default_sort=("name",),
    search=("name",),
)  # fmt: skip

quotas = Resource(
    name="quota",
    plural="quotas",
    title="Quota",
    description=(
        "What a rep, a team or a territory is expected to reach in a period. A change within the period is a "
        "version: the effective quota weighs each amount by the days on which it held."
    ),
    table=models.quotas,
    history=models.quotas_history,
    fields=(
        f.reference("rep_id", "reps", "The rep who carries it; exactly one of rep, team and territory."),
        f.reference("team_id", "teams", "The team that carries it."),
        f.reference("territory_id", "territories", "The territory that it is set for."),
        f.text("metric", f"The metric that counts towards it: {_ATTAINABLE}.", "bookings", max_length=80,
               default="bookings"),
        f.text("period", "`2026`, `2026-Q1`, `2026-03`, `FY2026` or `FY2026-Q1`.", "2026-Q1", required=True,
               max_length=20),
        f.day("starts_on", "First day of the period.", "2026-01-01", write="never"),
        f.day("ends_on", "First day after the period.", "2026-04-01", write="never"),
        f.money("amount", "Amount for the whole period.", 100_000, required=True),
        f.text("currency", "ISO 4217 code; the home currency when left out.", "USD", max_length=3, currency=True),
        f.numbers("seasonality", "How the amount spreads over the period: a weight for each of its months, or for each "
                  "quarter of its year. Only their proportions count. Evenly over its days when left out.",
                  [1, 1, 2], most=12, maximum=seasons.GREATEST),
        f.json_list("seasons", "First day of what each of these weights is for.",
                    ["2026-01-01", "2026-02-01", "2026-03-01"], write="never"),
        f.reference("ramp_schedule_id", "ramp_schedules", "How much of it is expected of a rep who is new."),
    ),
    label="period",
    visible=visibility.quotas,
    standing=visibility.standing,
    children=(versions,),
    default_sort=("-starts_on",),
    prepare=periods.prepare,
    advance=seasons.advance,
    check=periods.check,
)  # fmt: skip

quota_reliefs = Resource(
    name="quota_relief",
    plural="quota_reliefs",
    title="Quota relief",
    description=(
        "What of its quota a rep is let off for some days, and why. It counts once it is approved: by a manager above "
        "the rep or an admin, never by the rep itself. A change of its days or its size asks for it anew."
    ),
    table=models.quota_reliefs,
    history=models.quota_reliefs_history,
    fields=(
        f.reference("rep_id", "reps", "The rep whose quota it is.", required=True, write="create"),
        f.text("metric", "The metric of the quota.", "bookings", max_length=80, default="bookings", write="create"),
        f.day("starts_on", "First day.", "2026-03-02", required=True),
        f.day("ends_on", "First day after the last one.", "2026-03-09", required=True),
        f.choice("reason", "Why.", models.RELIEF_REASONS, required=True),
        f.ratio("share", "The part of the quota of these days that falls away; or `amount`.", 1),
        f.money("amount", "What falls away over all of these days; or `share`.", 5_000),
        f.text("currency", "ISO 4217 code of the amount; the home currency when left out.", "USD", max_length=3,
               currency=True),
        f.text("note", "What an approver should know.", "Parental leave", max_length=1000),
        f.choice("state", "How far it is; only what is approved counts.", models.RELIEF_STATES, default="requested"),
        f.moment("decided_at", "When it was approved or rejected.", "2026-02-27T10:00:00Z"),
        f.reference("decided_by_id", "reps", "Who did; null where it is no rep.", relation="decided_by"),
    ),
    label="reason",
    visible=visibility.quota_reliefs,
    standing=visibility.standing,
    actions=ACTIONS,
    default_sort=("-starts_on",),
    prepare=relief.prepare,
    advance=relief.advance,
    check=relief.check,
    check_by_row=True,
    event_types=relief.event_types,
)  # fmt: skip

RESOURCES = (ramp_schedules, quotas, quota_reliefs)
