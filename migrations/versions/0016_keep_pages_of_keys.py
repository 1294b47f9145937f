"""keep pages of keys

Revision 0016, after 0015, made on 2026-11-23.

After a quiet day every key is swept away, and a vacuum would give the table's pages back. Of an empty table a plan reads
everything, and the connections keep that plan for the first minute of the next busy day, while the table grows.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("alter table idempotency_keys set (vacuum_truncate = false)")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("alter table idempotency_keys reset (vacuum_truncate)")
