"""What reps earn: plans as data, the periods that are paid, statements with their lines, and the ledger under them."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Index, Integer, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from app.ground.database.tables import (
    MOMENT,
    MONEY,
    RATIO,
    child_table,
    history_of,
    record_table,
    ref,
    tenant_table,
)
from app.ground.events.models import XID8

_AMOUNT = "abs({0}) * 10::numeric ^ scale(trim_scale({0})) < 1e15"
_ID = UUID(as_uuid=True)


def _digits(*columns: str) -> list[CheckConstraint]:
    return [CheckConstraint(_AMOUNT.format(column), name=f"{column}_digits") for column in columns]


# --- plans -----------------------------------------------------------------------------------------------------------

comp_plans = record_table(
    "comp_plans",
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("currency", Text, nullable=False),
)
comp_plans_history = history_of(comp_plans)

VERSION_STATES = ("draft", "published")

comp_plan_versions = record_table(
    "comp_plan_versions",
    ref("plan_id", "comp_plans", nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'draft'")),
    Column("published_at", MOMENT),
    Column("note", Text),
    CheckConstraint(f"state in {VERSION_STATES}", name="state"),
    Index(
        "uq_comp_plan_versions_published", "tenant_id", "plan_id", "effective_from", unique=True,
        postgresql_where=text("state = 'published' and deleted_at is null"),
    ),
)  # fmt: skip
comp_plan_versions_history = history_of(comp_plan_versions)

KINDS = ("commission", "spiff", "overlay", "override", "bonus", "draw")
MEASURES = ("amount", "margin", "deal")
TIERED_BY = ("attainment", "credited")
TIERINGS = ("marginal", "retroactive")
HOLDS = ("booked", "paid")

comp_plan_components = child_table(
    "comp_plan_components",
    "version_id",
    ref("version_id", "comp_plan_versions", nullable=False),
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("measure", Text, nullable=False, server_default=text("'amount'")),
    Column("applies_when", Text),
    Column("rate", Numeric(19, 8)),
    Column("formula", Text),
    Column("amount", MONEY),
    Column("tiered_by", Text),
    Column("tiering", Text),
    Column("threshold", Numeric(19, 6)),
    Column("cap", MONEY),
    Column("starts_on", Date),
    Column("ends_on", Date),
    Column("hold_until", Text),
    Column("clawback_days", Integer),
    Column("recoverable", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint(f"kind in {KINDS}", name="kind"),
    CheckConstraint(f"measure in {MEASURES}", name="measure"),
    CheckConstraint(f"tiered_by in {TIERED_BY}", name="tiered_by"),
    CheckConstraint(f"tiering in {TIERINGS}", name="tiering"),
    CheckConstraint(f"hold_until in {HOLDS}", name="hold_until"),
    *_digits("amount", "cap"),
)
comp_plan_components_history = history_of(comp_plan_components)

comp_plan_tiers = child_table(
    "comp_plan_tiers",
    "version_id",
    ref("version_id", "comp_plan_versions", nullable=False),
    Column("component", Text, nullable=False),
    Column("above", Numeric(19, 6), nullable=False),
    Column("rate", Numeric(19, 8), nullable=False),
)
comp_plan_tiers_history = history_of(comp_plan_tiers)

plan_assignments = record_table(
    "plan_assignments",
    ref("plan_id", "comp_plans", nullable=False),
    ref("rep_id", "reps", nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    Column("target", MONEY),
    Column("on_target_earnings", MONEY),
    Column("variable_share", RATIO),
    CheckConstraint("ends_on > starts_on", name="days"),
    CheckConstraint("variable_share between 0 and 1", name="variable_share"),
    *_digits("target", "on_target_earnings"),
    Index("ix_plan_assignments_rep_id", "tenant_id", "rep_id", "starts_on"),
    Index("ix_plan_assignments_plan_id", "tenant_id", "plan_id"),
)
plan_assignments_history = history_of(plan_assignments)

# --- periods ---------------------------------------------------------------------------------------------------------

PERIOD_STATES = ("open", "calculated", "approved", "closed")

comp_periods = record_table(
    "comp_periods",
    Column("period", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("left_out", JSONB),
    Column("calculated_at", MOMENT),
    Column("approved_at", MOMENT),
    Column("closed_at", MOMENT),
    Column("note", Text),
    CheckConstraint(f"state in {PERIOD_STATES}", name="state"),
    CheckConstraint("ends_on > starts_on", name="days"),
    Index(
        "uq_comp_periods_starts_on", "tenant_id", "starts_on", unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
)  # fmt: skip
comp_periods_history = history_of(comp_periods)

pay_settlements = tenant_table(
    "pay_settlements",
    Column("period_id", _ID, nullable=False),
    Column("txid", XID8, nullable=False),
    key=("period_id",),
)
"""Up to which transaction what a period has earned takes in all that changed: the feed tells what came later."""

# --- what comes of them ----------------------------------------------------------------------------------------------

STATEMENT_STATES = ("draft", "disputed", "approved")

statements = record_table(
    "statements",
    ref("period_id", "comp_periods", nullable=False),
    ref("rep_id", "reps", nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'draft'")),
    Column("earned", MONEY, nullable=False, server_default=text("0")),
    Column("adjusted", MONEY, nullable=False, server_default=text("0")),
    Column("drawn", MONEY, nullable=False, server_default=text("0")),
    Column("held", MONEY, nullable=False, server_default=text("0")),
    Column("total", MONEY, nullable=False, server_default=text("0")),
    Column("dispute", Text),
    Column("resolution", Text),
    Column("approved_at", MOMENT),
    ref("approved_by_id", "reps"),
    CheckConstraint(f"state in {STATEMENT_STATES}", name="state"),
    Index("uq_statements_rep_id", "tenant_id", "rep_id", "period_id", "currency", unique=True),
    Index("ix_statements_period_id", "tenant_id", "period_id"),
    custom=False,
)

POSTINGS = ("earning", "adjustment", "clawback", "draw")
ACCOUNTS = ("payable", "held")

# Of lines and entries there are as many as deals, and all that they refer to was read in the statement that writes
# them: no foreign keys, whose checks would take as long as the whole calculation.
statement_lines = record_table(
    "statement_lines",
    Column("statement_id", _ID, nullable=False),
    Column("period_id", _ID, nullable=False),
    Column("earned_period_id", _ID, nullable=False),
    Column("rep_id", _ID, nullable=False),
    Column("assignment_id", _ID, nullable=False),
    Column("version_id", _ID, nullable=False),
    Column("component", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("posting", Text, nullable=False),
    Column("opportunity_id", _ID),
    Column("credited_rep_id", _ID),
    Column("tier", Integer, nullable=False, server_default=text("0")),
    Column("account", Text, nullable=False, server_default=text("'payable'")),
    Column("on_day", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("reason", Text),
    Column("trace", JSONB, nullable=False),
    Column("line_key", _ID, nullable=False),
    Index("uq_statement_lines_line_key", "tenant_id", "period_id", "line_key", unique=True),
    Index("ix_statement_lines_statement_id", "tenant_id", "statement_id", "on_day"),
    Index("ix_statement_lines_earned", "tenant_id", "earned_period_id", "rep_id"),
    Index("ix_statement_lines_opportunity_id", "tenant_id", "opportunity_id"),
    custom=False,
)

ENTRY_KINDS = (*POSTINGS, "payment")
LEDGER_ACCOUNTS = ("expense", "payable", "held", "draw", "cash")

ledger_entries = record_table(
    "ledger_entries",
    Column("kind", Text, nullable=False),
    Column("period_id", _ID, nullable=False),
    Column("earned_period_id", _ID, nullable=False),
    Column("rep_id", _ID, nullable=False),
    Column("statement_id", _ID, nullable=False),
    Column("line_id", _ID),
    Column("payout_id", _ID),
    Column("opportunity_id", _ID),
    Column("adjusts_id", _ID),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", MONEY, nullable=False),
    CheckConstraint("debit <> credit", name="two_accounts"),
    Index("ix_ledger_entries_on_day", "tenant_id", "on_day"),
    Index("ix_ledger_entries_line_id", "tenant_id", "line_id"),
    Index("ix_ledger_entries_rep_id", "tenant_id", "rep_id", "on_day"),
    custom=False,
)
# What is posted stays: the service may add an entry, and nothing else.
ledger_entries.info["privileges"] = ("select", "insert")

PAYOUT_STATES = ("due", "paid", "void")

payouts = record_table(
    "payouts",
    ref("period_id", "comp_periods", nullable=False),
    ref("rep_id", "reps", nullable=False),
    ref("statement_id", "statements", nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'due'")),
    Column("paid_on", Date),
    CheckConstraint(f"state in {PAYOUT_STATES}", name="state"),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_payouts_period_id", "tenant_id", "period_id"),
    Index("ix_payouts_rep_id", "tenant_id", "rep_id"),
    Index(
        "uq_payouts_statement_id", "tenant_id", "statement_id", unique=True, postgresql_where=text("state = 'due'")
    ),
    custom=False,
)  # fmt: skip
