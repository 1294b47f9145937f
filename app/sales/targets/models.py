"""What is expected of whom."""

from sqlalchemy import CheckConstraint, Column, Date, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.ground.database.tables import MOMENT, MONEY, RATIO, child_table, history_of, record_table, ref

ramp_schedules = record_table(
    "ramp_schedules",
    Column("name", Text, nullable=False),
    Column("months", JSONB, nullable=False),
)
ramp_schedules_history = history_of(ramp_schedules)

quotas = record_table(
    "quotas",
    ref("rep_id", "reps"),
    ref("team_id", "teams"),
    ref("territory_id", "territories"),
    Column("metric", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("currency", Text),
    Column("seasonality", JSONB),
    Column("seasons", JSONB),
    ref("ramp_schedule_id", "ramp_schedules"),
    CheckConstraint("num_nonnulls(rep_id, team_id, territory_id) = 1", name="one_holder"),
    CheckConstraint("ends_on > starts_on", name="period"),
    CheckConstraint("ramp_schedule_id is null or rep_id is not null", name="ramp_of_a_rep"),
    CheckConstraint("abs(amount) * 10::numeric ^ scale(trim_scale(amount)) < 1e15", name="amount_digits"),
    Index("ix_quotas_rep_id", "tenant_id", "rep_id", "starts_on"),
    Index("ix_quotas_team_id", "tenant_id", "team_id", "starts_on"),
    Index("ix_quotas_territory_id", "tenant_id", "territory_id", "starts_on"),
    Index("ix_quotas_starts_on", "tenant_id", "starts_on"),
)
quotas_history = history_of(quotas)
Index("ix_quotas_history_starts_on", quotas_history.c.tenant_id, quotas_history.c.starts_on)

quota_versions = child_table(
    "quota_versions",
    "quota_id",
    ref("quota_id", "quotas", nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("amount", MONEY, nullable=False),
    CheckConstraint("abs(amount) * 10::numeric ^ scale(trim_scale(amount)) < 1e15", name="amount_digits"),
)
quota_versions_history = history_of(quota_versions)

RELIEF_REASONS = ("leave", "ramp", "territory_change", "other")
RELIEF_STATES = ("requested", "approved", "rejected")

quota_reliefs = record_table(
    "quota_reliefs",
    ref("rep_id", "reps", nullable=False),
    Column("metric", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("share", RATIO),
    Column("amount", MONEY),
    Column("currency", Text),
    Column("note", Text),
    Column("state", Text, nullable=False, server_default=text("'requested'")),
    Column("decided_at", MOMENT),
    ref("decided_by_id", "reps"),
    CheckConstraint(f"reason in {RELIEF_REASONS}", name="reason"),
    CheckConstraint(f"state in {RELIEF_STATES}", name="state"),
    CheckConstraint("num_nonnulls(share, amount) = 1", name="one_measure"),
    CheckConstraint("share between 0 and 1", name="share"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("abs(amount) * 10::numeric ^ scale(trim_scale(amount)) < 1e15", name="amount_digits"),
    CheckConstraint("ends_on > starts_on", name="days"),
    # What a rep is relieved of, in its listing and beside its quotas.
    Index("ix_quota_reliefs_rep_id", "tenant_id", "rep_id", "starts_on"),
)
quota_reliefs_history = history_of(quota_reliefs)
