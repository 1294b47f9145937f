"""Whom we sell to."""

from sqlalchemy import Column, Index, Integer, Text, text

from app.ground.database.tables import history_of, record_table, ref
from app.language.resources import merge

accounts = record_table(
    "accounts",
    Column("name", Text, nullable=False),
    ref("parent_id", "accounts"),
    ref("owner_id", "reps"),
    ref("territory_id", "territories"),
    Column("industry", Text),
    Column("segment", Text),
    Column("employees", Integer),
    Column("country", Text),
    Column("website", Text),
    *merge.columns("accounts"),
    Index("ix_accounts_owner_id", "tenant_id", "owner_id"),
    Index("ix_accounts_parent_id", "tenant_id", "parent_id", postgresql_where=text("parent_id is not null")),
)
accounts_history = history_of(accounts)

contacts = record_table(
    "contacts",
    Column("name", Text, nullable=False),
    ref("account_id", "accounts"),
    ref("owner_id", "reps"),
    Column("title", Text),
    Column("department", Text),
    Column("email", Text),
    Column("phone", Text),
    *merge.columns("contacts"),
    Index("ix_contacts_owner_id", "tenant_id", "owner_id"),
    Index("ix_contacts_account_id", "tenant_id", "account_id"),
    Index("ix_contacts_email", "tenant_id", "email"),
)
contacts_history = history_of(contacts)
