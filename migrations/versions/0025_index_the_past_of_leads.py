"""index the past of leads

Revision 0025, after 0024, made on 2026-11-30.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("create index ix_leads_history_received_at on leads_history (tenant_id, received_at)")
    op.execute(
        "create index ix_leads_history_qualified_at on leads_history (tenant_id, qualified_at) "
        "where qualified_at is not null"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_leads_history_qualified_at")
    op.execute("drop index ix_leads_history_received_at")
