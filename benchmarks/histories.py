"""The past of the rows that are measured on, written from the rows themselves."""

from __future__ import annotations

from sqlalchemy import Table

from app.ground.database.tables import BOOKKEEPING, metadata
from app.sales.pipeline.models import opportunities

LONG_AGO = "timestamptz '2020-01-01 00:00+00'"


def columns(table: Table) -> list[str]:
    history = metadata.tables[f"{table.name}_history"]
    return [c.name for c in table.columns if c.name in history.columns and c.name not in BOOKKEEPING]


def of_records(table: Table, since: str = "'-infinity'", recorded: str = LONG_AGO) -> str:
    """What is there now has been so since then, and has been known: one version each."""
    names = ", ".join(columns(table))
    return (
        f"insert into {table.name}_history (tenant_id, record_id, valid_from, recorded_at, inferred, {names}) "
        f"select tenant_id, id, {since}, {recorded}, true, {names} from {table.name} where tenant_id = $1"
    )


def of_deals(versions: int) -> tuple[str, str]:
    """`versions` of each: from its opening through the stages before its own, in equal steps; then as it is now.

    On the way some deals change hands, some grow, and the expected close is pushed as often as the deal says.
    """
    steps = versions - 1
    began = f"o.at + (o.updated_at - o.at) * (k / {steps}::float)"
    values = {
        "stage_id": "s.id", "category": "'open'", "closed_at": "null", "loss_reason": "null",
        "credited_owner_id": "null",
        "stage_entered_at": f"o.at + (o.updated_at - o.at) * (least(k, o.furthest) / {steps}::float)",
        "owner_id": "case when k = 0 then coalesce(a.owner_id, o.owner_id) else o.owner_id end",
        "amount": "case when o.dice % 4 = 0 then round(o.amount * (80 + 5 * k) / 100, 4) else o.amount end",
        "push_count": "least(k, o.push_count)",
        "expected_close_on": "(o.at + interval '1 day' * (25 + 20 * least(k, o.push_count)))::date",
    }  # fmt: skip
    names = columns(opportunities)
    told = ", ".join(values.get(name, f"o.{name}") for name in names)
    head = "insert into opportunities_history (tenant_id, record_id, valid_from, valid_to, recorded_at,"
    before = f"""{head} {", ".join(names)})
        select o.tenant_id, o.id, {began}, {began.replace("k /", "(k + 1) /")}, {began}, {told}
        from (
            select o.*, coalesce(o.opened_at, o.created_at) as at, hashtext(o.name) & 1073741823 as dice,
                case s.category when 'open' then greatest(s.position - 1, 0) when 'won' then 3
                else (hashtext(o.name) & 1073741823) % 4 end as furthest
            from opportunities o join stages s on s.tenant_id = o.tenant_id and s.id = o.stage_id
            where o.tenant_id = $1
        ) o
        cross join generate_series(0, {steps} - 1) k
        join stages s on s.tenant_id = o.tenant_id and s.position = least(k, o.furthest)
        left join accounts a on a.tenant_id = o.tenant_id and a.id = o.account_id"""
    present = f"""{head} changed, {", ".join(names)})
        select o.tenant_id, o.id, o.updated_at, 'infinity', o.updated_at, array['stage_id'],
            {", ".join(f"o.{name}" for name in names)}
        from opportunities o where o.tenant_id = $1"""
    return before, present
