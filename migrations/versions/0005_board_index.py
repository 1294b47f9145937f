"""let a board count and sum from an index alone

Revision 0005, after 0004, made on 2026-11-22.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEX = (
    "create index ix_opportunities_stage_id on opportunities (tenant_id, stage_id, expected_close_on, id)"
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_opportunities_stage_id")
    op.execute(
        _INDEX
        + " include (amount, currency, closed_at, category, probability, pipeline_id, owner_id, deleted_at)"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("drop index ix_opportunities_stage_id")
    op.execute(_INDEX)
