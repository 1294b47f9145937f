"""What reps do."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Text, text

from app.ground.database.tables import MOMENT, history_of, record_table, ref

KINDS = ("call", "email", "meeting", "task", "note")
PURPOSES = ("selling", "prospecting", "preparation", "learning", "admin", "coaching")

activities = record_table(
    "activities",
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False, server_default=text("'selling'")),
    Column("subject", Text),
    Column("body", Text),
    Column("direction", Text),
    Column("duration_seconds", Integer),
    Column("outcome", Text),
    Column("occurred_at", MOMENT),
    Column("due_at", MOMENT),
    Column("done", Boolean, nullable=False, server_default=text("true")),
    ref("owner_id", "reps"),
    ref("opportunity_id", "opportunities"),
    ref("account_id", "accounts"),
    ref("contact_id", "contacts"),
    ref("lead_id", "leads"),
    CheckConstraint("kind in ('call', 'email', 'meeting', 'task', 'note')", name="kind"),
    CheckConstraint("direction in ('inbound', 'outbound')", name="direction"),
    CheckConstraint("duration_seconds >= 0", name="duration"),
    Index("ix_activities_occurred_at", "tenant_id", "occurred_at"),
    # The few that were done at no moment. By its statistics the planner takes them for many: these words have none.
    Index("ix_activities_undated", "tenant_id", postgresql_where=text("done and num_nulls(occurred_at) = 1")),
    Index("ix_activities_owner_id", "tenant_id", "owner_id", "occurred_at"),
    Index("ix_activities_opportunity_id", "tenant_id", "opportunity_id", "occurred_at"),
    Index("ix_activities_account_id", "tenant_id", "account_id", "occurred_at"),
    Index("ix_activities_contact_id", "tenant_id", "contact_id", "occurred_at"),
    Index("ix_activities_lead_id", "tenant_id", "lead_id", "occurred_at"),
)
activities_history = history_of(activities)
# For numbers of the past, by the period and by the deal.
Index("ix_activities_history_occurred_at", activities_history.c.tenant_id, activities_history.c.occurred_at)
Index(
    "ix_activities_history_undated",
    activities_history.c.tenant_id,
    activities_history.c.valid_from,
    postgresql_where=text("done and num_nulls(occurred_at) = 1"),
)
Index(
    "ix_activities_history_opportunity_id",
    activities_history.c.tenant_id,
    activities_history.c.opportunity_id,
    activities_history.c.occurred_at,
    postgresql_where=text("opportunity_id is not null"),
)
