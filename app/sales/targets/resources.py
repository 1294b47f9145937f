"""The noun of what is expected."""

from app.language.resources import fields as f
from app.language.resources.resource import Child, Resource
from app.sales.org import visibility
from app.sales.targets import models, periods

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
        f.text("metric", "The metric that counts towards it.", "bookings", max_length=80, default="bookings"),
        f.text("period", "`2026`, `2026-Q1`, `2026-03`, `FY2026` or `FY2026-Q1`.", "2026-Q1", required=True,
               max_length=20),
        f.day("starts_on", "First day of the period.", "2026-01-01", write="never"),
        f.day("ends_on", "First day after the period.", "2026-04-01", write="never"),
        f.money("amount", "Amount for the whole period.", 100_000, required=True),
        f.text("currency", "ISO 4217 code; the home currency when left out.", "USD", max_length=3, currency=True),
    ),
    label="period",
    visible=visibility.quotas,
    standing=visibility.standing,
    children=(versions,),
    default_sort=("-starts_on",),
    prepare=periods.prepare,
    check=periods.check,
)  # fmt: skip

RESOURCES = (quotas,)
