"""Tables of who may ask: tenants, users, API keys, and the answers kept for retries."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from app.ground.access.custom import KINDS
from app.ground.access.principal import ROLES
from app.ground.database.tables import MOMENT, metadata, record_table, ref, tenant_table

_ROLE = f"role in ({', '.join(repr(role) for role in ROLES)})"

tenants = Table(
    "tenants",
    metadata,
    Column("id", UUID(as_uuid=True), nullable=False, server_default=text("uuidv7()")),
    Column(
        "name", Text, CheckConstraint("length(btrim(name)) between 1 and 200", name="name"), nullable=False
    ),
    Column("timezone", Text, nullable=False, server_default=text("'UTC'")),
    Column(
        "home_currency",
        Text,
        CheckConstraint("home_currency ~ '^[A-Z]{3}$'", name="home_currency"),
        nullable=False,
        server_default=text("'USD'"),
    ),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("id"),
    schema="control",
    info={"secure": {"column": "id", "privileges": ("select", "update"), "forced": False}},
)
"""In a schema of its own, since this table is about tenants and not inside one. The service sees its own row only."""

users = record_table(
    "users",
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("role", Text, CheckConstraint(_ROLE, name="role"), nullable=False),
    ref("rep_id", "reps"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
)
Index(
    "uq_users_email",
    users.c.tenant_id,
    text("lower(email)"),
    unique=True,
    postgresql_where=text("deleted_at is null"),
)
Index("ix_users_rep_id", users.c.tenant_id, users.c.rep_id)

api_keys = record_table(
    "api_keys",
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column(
        "key_hash", LargeBinary, CheckConstraint("length(key_hash) = 32", name="key_hash"), nullable=False
    ),
    ref("user_id", "users"),
    Column("role", Text, CheckConstraint(_ROLE, name="role"), nullable=False),
    ref("rep_id", "reps"),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
    Column("last_used_at", MOMENT),
    custom=False,
)
"""`prefix` is what people recognise a key by; of the key itself only the SHA-256 is kept (256 random bits need no
slow hash)."""
Index("uq_api_keys_key_hash", api_keys.c.tenant_id, api_keys.c.key_hash, unique=True)
Index("ix_api_keys_user_id", api_keys.c.tenant_id, api_keys.c.user_id)

custom_fields = record_table(
    "custom_fields",
    Column("noun", Text, nullable=False),
    Column("name", Text, CheckConstraint("name ~ '^[a-z][a-z0-9_]{0,39}$'", name="name"), nullable=False),
    Column(
        "kind", Text, CheckConstraint(f"kind in ({', '.join(map(repr, KINDS))})", name="kind"), nullable=False
    ),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("position", Integer, nullable=False, server_default=text("0")),
    custom=False,
)
"""What is declared once is so for ever: values are stored under the name, and are read as that kind."""
Index(
    "uq_custom_fields_name",
    custom_fields.c.tenant_id,
    custom_fields.c.noun,
    custom_fields.c.name,
    unique=True,
)

idempotency_keys = tenant_table(
    "idempotency_keys",
    Column("caller", Text, nullable=False),
    Column("key", Text, CheckConstraint("length(key) between 1 and 255", name="key"), nullable=False),
    Column("route", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
    key=("caller", "key"),
)
"""The frozen answer to a POST that carried an Idempotency-Key, written in the transaction that did the work."""
Index("ix_idempotency_keys_created_at", idempotency_keys.c.tenant_id, idempotency_keys.c.created_at)

stream_tickets = tenant_table(
    "stream_tickets",
    Column("ticket_hash", LargeBinary, nullable=False),
    Column("caller", JSONB, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    key=("ticket_hash",),
    privileges=("select", "insert", "delete"),
)
"""Kept for a minute, and only until they are shown. `caller` says as whom the stream is read."""
Index("ix_stream_tickets_expires_at", stream_tickets.c.tenant_id, stream_tickets.c.expires_at)
