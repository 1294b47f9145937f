"""What reps work on: pipelines, their stages, opportunities with lines, splits and team."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Index, Integer, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.ground.database.tables import MOMENT, MONEY, RATIO, child_table, history_of, record_table, ref

SALES_MODELS = ("b2c", "b2b", "enterprise", "saas")
CATEGORIES = ("open", "won", "lost", "abandoned")
FORECAST_CATEGORIES = ("pipeline", "best_case", "most_likely", "commit", "closed", "omitted")

pipelines = record_table(
    "pipelines",
    Column("name", Text, nullable=False),
    Column("sales_model", Text, nullable=False, server_default=text("'b2b'")),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("sales_model in ('b2c', 'b2b', 'enterprise', 'saas')", name="sales_model"),
    Index(
        "uq_pipelines_default",
        "tenant_id",
        unique=True,
        postgresql_where=text("is_default and deleted_at is null"),
    ),
)
pipelines_history = history_of(pipelines)

stages = record_table(
    "stages",
    ref("pipeline_id", "pipelines", nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("category", Text, nullable=False, server_default=text("'open'")),
    Column("probability", RATIO),
    Column("forecast_category", Text),
    Column("stalled_after_days", Integer),
    Column("required_fields", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    CheckConstraint("category in ('open', 'won', 'lost', 'abandoned')", name="category"),
    CheckConstraint("probability between 0 and 1", name="probability"),
    Index("ix_stages_pipeline_id", "tenant_id", "pipeline_id", "position"),
)
stages_history = history_of(stages)

opportunities = record_table(
    "opportunities",
    Column("name", Text, nullable=False),
    ref("account_id", "accounts"),
    ref("owner_id", "reps"),
    ref("pipeline_id", "pipelines", nullable=False),
    ref("stage_id", "stages", nullable=False),
    Column("category", Text, nullable=False, server_default=text("'open'")),
    Column("amount", MONEY),
    Column("currency", Text, nullable=False),
    Column("term_months", Integer),
    Column("type", Text),
    Column("sales_channel", Text),
    Column("lead_source", Text),
    ref("campaign_id", "campaigns"),
    ref("price_book_id", "price_books"),
    Column("opened_at", MOMENT),
    Column("expected_close_on", Date),
    Column("closed_at", MOMENT),
    Column("probability", RATIO),
    Column("forecast_category", Text),
    Column("loss_reason", Text),
    Column("competitor", Text),
    Column("next_step", Text),
    ref("credited_owner_id", "reps"),
    Column("stage_entered_at", MOMENT),
    Column("booked_on", Date),
    Column("paid_on", Date),
    Column("push_count", Integer, nullable=False, server_default=text("0")),
    Column("last_activity_at", MOMENT, info={"untracked": True}),
    Column("next_activity_at", MOMENT, info={"untracked": True}),
    CheckConstraint("category in ('open', 'won', 'lost', 'abandoned')", name="category"),
    CheckConstraint("abs(amount) * 10::numeric ^ scale(trim_scale(amount)) < 1e15", name="amount_digits"),
    CheckConstraint("probability between 0 and 1", name="probability"),
    Index("ix_opportunities_owner_id", "tenant_id", "owner_id", "stage_id", "expected_close_on", "id"),
    Index("ix_opportunities_account_id", "tenant_id", "account_id"),
    # It carries what a board counts and sums by, so that a million deals are read from it alone.
    Index(
        "ix_opportunities_stage_id", "tenant_id", "stage_id", "expected_close_on", "id",
        postgresql_include=["amount", "currency", "closed_at", "category", "probability", "pipeline_id",
                            "owner_id", "deleted_at"],
    ),
    Index("ix_opportunities_opened_at", "tenant_id", "opened_at"),
    Index("ix_opportunities_closed_at", "tenant_id", "closed_at", postgresql_where=text("category <> 'open'")),
    # What a rep is paid for.
    Index(
        "ix_opportunities_credited_owner_id", "tenant_id", "credited_owner_id", "closed_at",
        postgresql_where=text("category = 'won'"),
    ),
    # The few without a close day. By its statistics the planner takes them for many: these words have none.
    Index(
        "ix_opportunities_undated", "tenant_id",
        postgresql_where=text("category <> 'open' and num_nulls(closed_at) = 1"),
    ),
    Index(
        "ix_opportunities_open", "tenant_id", "expected_close_on", "id",
        postgresql_where=text("category = 'open' and deleted_at is null"),
    ),
)  # fmt: skip
opportunities_history = history_of(opportunities)
# One index for each date by which numbers ask of the past. Not partial on what is known now, so that they serve an
# explicit `known_at` as well.
Index(
    "ix_opportunities_history_open",
    opportunities_history.c.tenant_id,
    opportunities_history.c.valid_to,
    opportunities_history.c.valid_from,
    opportunities_history.c.superseded_at,
    postgresql_include=["amount", "currency", "recorded_at", "inferred"],
    postgresql_where=text("category = 'open'"),
)
Index(
    "ix_opportunities_history_closed_at",
    opportunities_history.c.tenant_id,
    opportunities_history.c.closed_at,
    postgresql_where=text("category <> 'open'"),
)
Index(
    "ix_opportunities_history_undated",
    opportunities_history.c.tenant_id,
    opportunities_history.c.valid_from,
    postgresql_where=text("category <> 'open' and num_nulls(closed_at) = 1"),
)
Index(
    "ix_opportunities_history_opened_at", opportunities_history.c.tenant_id, opportunities_history.c.opened_at
)
# The few that a backfill has won.
Index(
    "ix_opportunities_history_backfilled",
    opportunities_history.c.tenant_id,
    opportunities_history.c.record_id,
    postgresql_where=text("origin = 'backfill' and category = 'won'"),
)
# What an account had bought before: whether it is a new customer, an existing one.
Index(
    "ix_opportunities_history_won",
    opportunities_history.c.tenant_id,
    opportunities_history.c.account_id,
    opportunities_history.c.closed_at,
    postgresql_where=text("category = 'won'"),
)
Index(
    "ix_opportunities_history_unopened",
    opportunities_history.c.tenant_id,
    opportunities_history.c.valid_from,
    postgresql_where=text("opened_at is null"),
)
# The versions with which a stage began.
Index(
    "ix_opportunities_history_stage_entered_at",
    opportunities_history.c.tenant_id,
    opportunities_history.c.stage_entered_at,
    postgresql_where=text("valid_from = stage_entered_at"),
)

opportunity_line_items = child_table(
    "opportunity_line_items",
    "opportunity_id",
    ref("opportunity_id", "opportunities", nullable=False),
    ref("product_id", "products"),
    Column("external_id", Text),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("description", Text),
    Column("quantity", Numeric(19, 4), nullable=False, server_default=text("1")),
    Column("list_price", MONEY),
    Column("unit_price", MONEY),
    Column("amount", MONEY),
    Column("below_floor", Boolean, nullable=False, server_default=text("false")),
)
opportunity_line_items_history = history_of(opportunity_line_items)

opportunity_splits = child_table(
    "opportunity_splits",
    "opportunity_id",
    ref("opportunity_id", "opportunities", nullable=False),
    ref("rep_id", "reps", nullable=False),
    Column("kind", Text, nullable=False, server_default=text("'revenue'")),
    Column("share", RATIO, nullable=False),
    CheckConstraint("kind in ('revenue', 'overlay')", name="kind"),
    CheckConstraint("share > 0 and share <= 1", name="share"),
    Index("ix_opportunity_splits_rep_id", "tenant_id", "rep_id"),
)
opportunity_splits_history = history_of(opportunity_splits)

opportunity_team = child_table(
    "opportunity_team",
    "opportunity_id",
    ref("opportunity_id", "opportunities", nullable=False),
    ref("rep_id", "reps", nullable=False),
    Column("role", Text),
    Index("ix_opportunity_team_rep_id", "tenant_id", "rep_id"),
)
opportunity_team_history = history_of(opportunity_team)

opportunity_contact_roles = child_table(
    "opportunity_contact_roles",
    "opportunity_id",
    ref("opportunity_id", "opportunities", nullable=False),
    ref("contact_id", "contacts", nullable=False),
    Column("role", Text),
    Column("is_primary", Boolean, nullable=False, server_default=text("false")),
    Index("ix_opportunity_contact_roles_contact_id", "tenant_id", "contact_id"),
)
opportunity_contact_roles_history = history_of(opportunity_contact_roles)
