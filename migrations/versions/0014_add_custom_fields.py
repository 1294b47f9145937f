"""add custom fields

Revision 0014, after 0013, made on 2026-11-23.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.ground.database.security import secure

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TRACKED = (
    "accounts", "activities", "campaign_members", "campaigns", "contacts", "exchange_rates", "fiscal_calendars",
    "lead_queues", "leads", "opportunities", "pipelines", "price_books", "prices", "products", "quotas", "reps",
    "scoring_rules", "stages", "teams", "territories", "touches",
)  # fmt: skip
TABLES = (*(x for name in TRACKED for x in (name, f"{name}_history")), "picklist_values", "users")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "custom_fields",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "external_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "created_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name=op.f("ck_custom_fields_name")),
        sa.CheckConstraint(
            "kind in ('text', 'picklist', 'integer', 'number', 'flag', 'day', 'moment')",
            name=op.f("ck_custom_fields_kind"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_custom_fields")),
    )
    secure(op, "custom_fields")
    op.create_index("ix_custom_fields_created_at", "custom_fields", ["tenant_id", "created_at", "id"])
    op.create_index("uq_custom_fields_name", "custom_fields", ["tenant_id", "noun", "name"], unique=True)
    # Without a default: no row is touched.
    for table in TABLES:
        op.add_column(table, sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    for table in reversed(TABLES):
        op.drop_column(table, "custom")
    op.drop_table("custom_fields")
