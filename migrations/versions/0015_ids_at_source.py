"""ids at source

Revision 0015, after 0014, made on 2026-11-23.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from app.ground.database.security import secure

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "ids_at_source",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        prefixes=["UNLOGGED"],
    )
    secure(op, "ids_at_source", privileges=("select", "insert"))


def downgrade() -> None:
    op.drop_table("ids_at_source")
