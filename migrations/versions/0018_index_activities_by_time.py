"""index activities by when they took place

Revision 0018, after 0017, made on 2026-11-24.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("create index ix_activities_occurred_at on activities (tenant_id, occurred_at)")
    op.execute(
        "create index ix_activities_history_occurred_at on activities_history (tenant_id, occurred_at)"
    )
    op.execute(
        "create index ix_activities_history_opportunity_id on activities_history "
        "(tenant_id, opportunity_id, occurred_at) where opportunity_id is not null"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_activities_history_opportunity_id")
    op.execute("drop index ix_activities_history_occurred_at")
    op.execute("drop index ix_activities_occurred_at")
