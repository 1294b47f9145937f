"""Tables of how business begins: campaigns and what they touched, leads, their queues and the rules that score them."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Index, Integer, Text, text

from app.ground.database.tables import MOMENT, MONEY, history_of, record_table, ref

CAMPAIGN_STATES = ("planned", "active", "completed", "cancelled")
OPERATORS = ("eq", "ne", "contains", "starts_with", "gte", "lte", "is_null")

campaigns = record_table(
    "campaigns",
    Column("name", Text, nullable=False),
    Column("channel", Text),
    Column("status", Text, nullable=False, server_default=text("'planned'")),
    Column("starts_on", Date),
    Column("ends_on", Date),
    Column("budget", MONEY),
    Column("actual_cost", MONEY),
    Column("currency", Text, nullable=False),
    CheckConstraint("status in ('planned', 'active', 'completed', 'cancelled')", name="status"),
    CheckConstraint("abs(budget) * 10::numeric ^ scale(trim_scale(budget)) < 1e15", name="budget_digits"),
    CheckConstraint(
        "abs(actual_cost) * 10::numeric ^ scale(trim_scale(actual_cost)) < 1e15", name="cost_digits"
    ),
)
campaigns_history = history_of(campaigns)

lead_queues = record_table("lead_queues", Column("name", Text, nullable=False), Column("description", Text))
lead_queues_history = history_of(lead_queues)

scoring_rules = record_table(
    "scoring_rules",
    Column("name", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("points", Integer, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint(
        "operator in ('eq', 'ne', 'contains', 'starts_with', 'gte', 'lte', 'is_null')", name="operator"
    ),
    CheckConstraint("points between -1000 and 1000", name="points"),
)
scoring_rules_history = history_of(scoring_rules)

leads = record_table(
    "leads",
    Column("name", Text, nullable=False),
    Column("company", Text),
    Column("title", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("country", Text),
    Column("industry", Text),
    Column("employees", Integer),
    Column("lead_source", Text),
    ref("campaign_id", "campaigns"),
    Column("status", Text, nullable=False, server_default=text("'new'")),
    ref("owner_id", "reps"),
    ref("queue_id", "lead_queues"),
    Column("received_at", MOMENT),
    Column("first_response_at", MOMENT),
    Column("qualified_at", MOMENT),
    Column("disqualified_at", MOMENT),
    Column("disqualified_reason", Text),
    Column("converted_at", MOMENT),
    ref("converted_account_id", "accounts"),
    ref("converted_contact_id", "contacts"),
    ref("converted_opportunity_id", "opportunities"),
    Column("score", Integer),
    CheckConstraint("num_nonnulls(owner_id, queue_id) < 2", name="owner_or_queue"),
    Index("ix_leads_owner_id", "tenant_id", "owner_id", "received_at"),
    Index("ix_leads_queue_id", "tenant_id", "queue_id", "received_at"),
    Index("ix_leads_campaign_id", "tenant_id", "campaign_id"),
    Index("ix_leads_received_at", "tenant_id", "received_at"),
    Index("ix_leads_qualified_at", "tenant_id", "qualified_at"),
    Index("ix_leads_converted_account_id", "tenant_id", "converted_account_id"),
    Index("ix_leads_converted_contact_id", "tenant_id", "converted_contact_id"),
    Index("ix_leads_converted_opportunity_id", "tenant_id", "converted_opportunity_id"),
)
leads_history = history_of(leads)
# For numbers of the past, by the period.
Index("ix_leads_history_received_at", leads_history.c.tenant_id, leads_history.c.received_at)
Index(
    "ix_leads_history_qualified_at",
    leads_history.c.tenant_id,
    leads_history.c.qualified_at,
    postgresql_where=text("qualified_at is not null"),
)

campaign_members = record_table(
    "campaign_members",
    ref("campaign_id", "campaigns", nullable=False),
    ref("lead_id", "leads"),
    ref("contact_id", "contacts"),
    Column("status", Text),
    Column("joined_at", MOMENT),
    Column("responded_at", MOMENT),
    CheckConstraint("num_nonnulls(lead_id, contact_id) = 1", name="one_person"),
    Index(
        "uq_campaign_members_lead", "tenant_id", "lead_id", "campaign_id", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
    Index(
        "uq_campaign_members_contact", "tenant_id", "contact_id", "campaign_id", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
    Index("ix_campaign_members_campaign_id", "tenant_id", "campaign_id"),
)  # fmt: skip
campaign_members_history = history_of(campaign_members)

touches = record_table(
    "touches",
    ref("campaign_id", "campaigns"),
    ref("lead_id", "leads"),
    ref("contact_id", "contacts"),
    Column("kind", Text, nullable=False),
    Column("detail", Text),
    Column("occurred_at", MOMENT, nullable=False),
    CheckConstraint("num_nonnulls(lead_id, contact_id) = 1", name="one_person"),
    Index("ix_touches_lead_id", "tenant_id", "lead_id", "occurred_at"),
    Index("ix_touches_contact_id", "tenant_id", "contact_id", "occurred_at"),
    Index("ix_touches_campaign_id", "tenant_id", "campaign_id", "occurred_at"),
)
touches_history = history_of(touches)
