"""index the past of won deals by account

Revision 0020, after 0019, made on 2026-11-24.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(
        "create index ix_opportunities_history_won on opportunities_history (tenant_id, account_id, closed_at) "
        "where category = 'won'"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_opportunities_history_won")
