"""First tables, straight from the models while these still take shape.

Revision 0001, after nothing, made on 2026-11-22.
"""

import importlib
from pathlib import Path

from alembic import op
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

import app
from app.ground.database.security import secure
from app.ground.database.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    root = Path(app.__path__[0])
    for path in sorted(root.rglob("models.py")):
        importlib.import_module("app." + ".".join(path.relative_to(root).with_suffix("").parts))
    op.execute("create schema if not exists control")
    op.execute("grant usage on schema control to attain_app")
    tables = list(metadata.tables.values())
    for table in tables:
        op.execute(CreateTable(table, include_foreign_key_constraints=[]))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index))
    tenants_last = [table for table in tables if "tenant_id" in table.columns]
    secure(op, "tenants", schema="control", column="id", privileges=("select", "update"), forced=False)
    for table in tables:
        for constraint in table.constraints:
            if isinstance(constraint, ForeignKeyConstraint):
                if {element._get_colspec().rsplit(".", 1)[0] for element in constraint.elements} <= set(
                    metadata.tables
                ):
                    op.execute(AddConstraint(constraint))
    for table in tenants_last:
        secure(
            op,
            table.name,
            privileges=table.info.get("privileges") or ("select", "insert", "update", "delete"),
        )


def downgrade() -> None:
    for table in metadata.tables.values():
        op.execute(f"drop table {table.fullname} cascade")
    op.execute("drop schema control")
