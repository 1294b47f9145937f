"""index what has no day

Revision 0024, after 0023, made on 2026-11-30.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEXES = {
    "ix_opportunities_undated": (
        "opportunities (tenant_id) where category <> 'open' and num_nulls(closed_at) = 1"
    ),
    "ix_opportunities_history_undated": (
        "opportunities_history (tenant_id, valid_from) where category <> 'open' and num_nulls(closed_at) = 1"
    ),
    "ix_activities_undated": "activities (tenant_id) where done and num_nulls(occurred_at) = 1",
    "ix_activities_history_undated": (
        "activities_history (tenant_id, valid_from) where done and num_nulls(occurred_at) = 1"
    ),
}


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    for name, what in _INDEXES.items():
        op.execute(f"create index {name} on {what}")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    for name in _INDEXES:
        op.execute(f"drop index {name}")
