"""Tables of numbers that are published to others."""

from sqlalchemy import Boolean, CheckConstraint, Column, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.ground.access.principal import ROLES
from app.ground.database.tables import MOMENT, child_table, history_of, record_table, ref

STATES = ("draft", "published")

boards = record_table(
    "boards",
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("question", JSONB, nullable=False),
    Column("for_everyone", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False, server_default=text("'draft'")),
    ref("publisher_id", "reps"),
    ref("publisher_user_id", "users"),
    ref("publisher_key_id", "api_keys"),
    Column("published_by", Text),
    Column("published_at", MOMENT),
    CheckConstraint("state in ('draft', 'published')", name="state"),
    CheckConstraint(
        "num_nonnulls(publisher_user_id, publisher_key_id) = (state = 'published')::int", name="publisher"
    ),
)
boards_history = history_of(boards)

board_audience = child_table(
    "board_audience",
    "board_id",
    ref("board_id", "boards", nullable=False),
    Column("role", Text),
    ref("team_id", "teams"),
    ref("territory_id", "territories"),
    ref("rep_id", "reps"),
    CheckConstraint(f"role in ({', '.join(repr(role) for role in ROLES)})", name="role"),
    CheckConstraint("num_nonnulls(role, team_id, territory_id, rep_id) = 1", name="one_of_them"),
)
board_audience_history = history_of(board_audience)
