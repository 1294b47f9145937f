"""The one predicate for what a principal may see: whose reps are in reach, and what follows from that.

Reach is today's tree, also for questions about the past: who may look is a matter of today, who was credited is a
matter of then. Tables of areas above are named by string, as foreign keys are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, and_, exists, false, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import metadata
from app.language.query.binds import Binds, constant
from app.language.query.source import rows
from app.sales.org.models import rep_reach, reps


def reach(binds: Binds) -> Select[Any]:
    """The ids of the reps whose work the principal sees: itself and everyone below."""
    return select(rep_reach.c.rep_id).where(
        rep_reach.c.tenant_id == binds.tenant, rep_reach.c.manager_id == binds.rep
    )


def standing(binds: Binds) -> ColumnElement[str]:
    """The reach as one text: two askings with the same have the same reps below them, in the same places."""
    place = func.concat_ws(" ", reps.c.id, reps.c.team_id, reps.c.territory_id)
    everybody = func.string_agg(place, aggregate_order_by(literal_column("','"), reps.c.id))
    return (
        select(func.md5(func.coalesce(everybody, "")))
        .where(reps.c.tenant_id == binds.tenant, reps.c.id.in_(reach(binds)))
        .scalar_subquery()
    )


def within_reach(rep: ColumnElement[Any], binds: Binds) -> ColumnElement[bool]:
    one = binds.fixed.get(rep)
    if one is None and not binds.few:
        return rep.in_(reach(binds))
    # One look into the index; to hash a whole subtree of reps first takes as long as some fifty of them. Of the one
    # rep whose records are asked for it is one look for all of them.
    link = rep_reach.alias()
    return exists(
        select(1)
        .where(
            link.c.tenant_id == binds.tenant,
            link.c.manager_id == binds.rep,
            link.c.rep_id == (rep if one is None else one),
        )
        .offset(literal_column("0"))
    )


def in_reach(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Of reps: the principal itself and everyone below. Who is in the directory is no secret; whose work a number is
    divided by must be those whose work is seen."""
    return None if binds.sees_all else within_reach(record.c.id, binds)


def _linked(table: str, record: FromClause, binds: Binds) -> ColumnElement[bool]:
    if binds.new or binds.plain:
        return false()
    link = rows(metadata.tables[table], binds)
    linked = select(1).where(
        link.c.tenant_id == binds.tenant,
        link.c.opportunity_id == record.c.id,
        link.c.rep_id.in_(reach(binds)),
    )
    # OFFSET 0 keeps the planner from turning the look-up into a hash of all rows.
    return exists(linked.offset(literal_column("0")) if binds.few else linked)


OF_A_DEAL = ("owner_id", "splits", "team")
"""What of a deal decides who sees it."""


def opportunities(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Owner, split holders, team members, and everyone above them."""
    if binds.sees_all:
        return None
    return or_(
        within_reach(record.c.owner_id, binds),
        _linked("opportunity_splits", record, binds),
        _linked("opportunity_team", record, binds),
    )


def _visible_deal(condition: Any, binds: Binds) -> ColumnElement[bool]:
    deal = rows(metadata.tables["opportunities"], binds)
    seen = opportunities(deal, binds.for_few() if binds.new else binds)
    assert seen is not None
    return exists(
        select(1).where(deal.c.tenant_id == binds.tenant, condition(deal), deal.c.deleted_at.is_(None), seen)
    )


def _unowned(record: FromClause, binds: Binds) -> list[ColumnElement[bool]]:
    return [record.c.owner_id.is_(None)] if binds.sees_unowned else []


def accounts(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Owner and those above, whoever sees one of its deals, and the tenant's roles where nobody owns it."""
    if binds.sees_all:
        return None
    return or_(
        within_reach(record.c.owner_id, binds),
        _visible_deal(lambda deal: deal.c.account_id == record.c.id, binds),
        *_unowned(record, binds),
    )


def contacts(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Its owner and its account's, those above them, whoever sees a deal that names it or that is its account's."""
    if binds.sees_all:
        return None
    account = rows(metadata.tables["accounts"], binds)
    role = rows(metadata.tables["opportunity_contact_roles"], binds)
    return or_(
        within_reach(record.c.owner_id, binds),
        exists(
            select(1).where(
                account.c.tenant_id == binds.tenant,
                account.c.id == record.c.account_id,
                within_reach(account.c.owner_id, binds),
            )
        ),
        _visible_deal(lambda deal: deal.c.account_id == record.c.account_id, binds),
        exists(
            select(1).where(
                role.c.tenant_id == binds.tenant,
                role.c.contact_id == record.c.id,
                _visible_deal(lambda deal: deal.c.id == role.c.opportunity_id, binds),
            )
        ),
        *_unowned(record, binds),
    )


def leads(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Its owner and everyone above; in a queue, and where nobody owns it, the tenant's roles."""
    if binds.sees_all:
        return None
    return or_(within_reach(record.c.owner_id, binds), *_unowned(record, binds))


_NOUNS: dict[str, tuple[str, Callable[[FromClause, Binds], ColumnElement[bool] | None]]] = {
    "account_id": ("accounts", accounts),
    "contact_id": ("contacts", contacts),
    "lead_id": ("leads", leads),
}


def _as(column: str, record: FromClause, binds: Binds) -> ColumnElement[bool]:
    """That the record named there is seen."""
    table, visible = _NOUNS[column]
    about = rows(metadata.tables[table], binds)
    seen = visible(about, binds)
    assert seen is not None
    return exists(select(1).where(about.c.tenant_id == binds.tenant, about.c.id == record.c[column], seen))


def persons(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """What concerns one lead or one contact is seen as that person is."""
    if binds.sees_all:
        return None
    return or_(*(and_(record.c[x].is_not(None), _as(x, record, binds)) for x in ("lead_id", "contact_id")))


def activities(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """As the deal it is about, else as the account, the contact or the lead, else as its owner."""
    if binds.sees_all:
        return None
    column = record.c.opportunity_id
    ways = [
        and_(column.is_not(None), _visible_deal(lambda deal: deal.c.id == record.c.opportunity_id, binds))
    ]
    nothing_before = [column.is_(None)]
    for name in ("account_id", "contact_id", "lead_id"):
        ways.append(and_(*nothing_before, record.c[name].is_not(None), _as(name, record, binds)))
        nothing_before.append(record.c[name].is_(None))
    return or_(*ways, and_(*nothing_before, within_reach(record.c.owner_id, binds)))


def quotas(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """The holder and everyone above; of a team or territory, its members and everyone above a member."""
    if binds.sees_all:
        return None
    member = rows(reps, binds)

    def held_through(column: str) -> ColumnElement[bool]:
        return record.c[column].in_(
            select(member.c[column]).where(
                member.c.tenant_id == binds.tenant,
                member.c.id.in_(reach(binds)),
                member.c[column].is_not(None),
            )
        )

    return or_(within_reach(record.c.rep_id, binds), held_through("team_id"), held_through("territory_id"))


def quota_reliefs(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """The holder and everyone above."""
    return None if binds.sees_all else within_reach(record.c.rep_id, binds)


def pay(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Whose pay it is and everyone above; nobody else, but who is in charge of pay. To see all deals is not enough."""
    return None if binds.role == "admin" else within_reach(record.c.rep_id, binds)


def _of_a_plan(plan: ColumnElement[Any], binds: Binds) -> ColumnElement[bool]:
    if binds.new or binds.plain:
        return false()
    one = rows(metadata.tables["plan_assignments"], binds)
    return exists(
        select(1).where(
            one.c.tenant_id == binds.tenant, one.c.plan_id == plan, one.c.rep_id.in_(reach(binds))
        )
    )


def comp_plans(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Whoever is, or was, paid by it, and everyone above."""
    return None if binds.role == "admin" else _of_a_plan(record.c.id, binds)


def comp_plan_versions(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """As their plan; a draft is for whoever writes it."""
    if binds.role == "admin":
        return None
    return and_(record.c.state == constant("published"), _of_a_plan(record.c.plan_id, binds))


def boards(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Whose board it is and everyone above; once it is published its audience, and everyone above one of these."""
    if binds.sees_all:
        return None
    published = and_(
        record.c.state == constant("published"), or_(record.c.for_everyone, _addressed(record, binds))
    )
    return or_(within_reach(record.c.publisher_id, binds), published)


def _addressed(record: FromClause, binds: Binds) -> ColumnElement[bool]:
    if binds.new or binds.plain:
        return false()
    row = rows(metadata.tables["board_audience"], binds)
    member = rows(reps, binds)

    def place(column: str) -> Select[Any]:
        return select(member.c[column]).where(
            member.c.tenant_id == binds.tenant, member.c.id.in_(reach(binds)), member.c[column].is_not(None)
        )

    addressed = select(1).where(
        row.c.tenant_id == binds.tenant,
        row.c.board_id == record.c.id,
        or_(
            row.c.role == constant(binds.role),
            row.c.rep_id.in_(reach(binds)),
            row.c.team_id.in_(place("team_id")),
            row.c.territory_id.in_(place("territory_id")),
        ),
    )
    return exists(addressed)
