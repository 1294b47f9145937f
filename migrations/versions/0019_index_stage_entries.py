"""index the entries of deals into stages

Revision 0019, after 0018, made on 2026-11-24.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(
        "create index ix_opportunities_history_stage_entered_at on opportunities_history "
        "(tenant_id, stage_entered_at) where valid_from = stage_entered_at"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_opportunities_history_stage_entered_at")
