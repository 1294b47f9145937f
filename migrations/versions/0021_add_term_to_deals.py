"""add the term of deals

Revision 0021, after 0020, made on 2026-11-30.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("opportunities", sa.Column("term_months", sa.Integer(), nullable=True))
    op.add_column("opportunities_history", sa.Column("term_months", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.drop_column("opportunities_history", "term_months")
    op.drop_column("opportunities", "term_months")
