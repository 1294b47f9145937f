"""how new a source's word of a record is

Revision 0009, after 0008, made on 2026-11-22.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("external_ids", sa.Column("source_updated_at", sa.TIMESTAMP(timezone=True), nullable=True))


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.drop_column("external_ids", "source_updated_at")
