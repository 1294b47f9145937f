"""The one predicate for what a principal may see: whose reps are in reach, and what follows from that.

Reach is today's tree, also for questions about the past: who may look is a matter of today, who was credited is a
matter of then. Tables of areas above are named by string, as foreign keys are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, exists, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import metadata
from app.language.query.binds import Binds
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


def _within_reach(rep: ColumnElement[Any], binds: Binds) -> ColumnElement[bool]:
    if not binds.few:
        return rep.in_(reach(binds))
    # One look into the index; to hash a whole subtree of reps first takes as long as some fifty of them.
    link = rep_reach.alias()
    return exists(
        select(1)
        .where(link.c.tenant_id == binds.tenant, link.c.manager_id == binds.rep, link.c.rep_id == rep)
        .offset(literal_column("0"))
    )


def _linked(table: str, record: FromClause, binds: Binds) -> ColumnElement[bool]:
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
        _within_reach(record.c.owner_id, binds),
        _linked("opportunity_splits", record, binds),
        _linked("opportunity_team", record, binds),
    )


def _visible_deal(condition: Any, binds: Binds) -> ColumnElement[bool]:
    deal = rows(metadata.tables["opportunities"], binds)
    seen = opportunities(deal, binds)
    assert seen is not None
    return exists(
        select(1).where(deal.c.tenant_id == binds.tenant, condition(deal), deal.c.deleted_at.is_(None), seen)
    )


def accounts(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Owner and those above, whoever sees one of its deals, and the tenant's roles where nobody owns it."""
    if binds.sees_all:
        return None
    ways: list[ColumnElement[bool]] = [
        _within_reach(record.c.owner_id, binds),
        _visible_deal(lambda deal: deal.c.account_id == record.c.id, binds),
    ]
    if binds.sees_unowned:
        ways.append(record.c.owner_id.is_(None))
    return or_(*ways)


def activities(record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """As the deal it belongs to, else as its account, else as its owner."""
    if binds.sees_all:
        return None
    account = rows(metadata.tables["accounts"], binds)
    seen_account = accounts(account, binds)
    assert seen_account is not None
    return or_(
        and_(
            record.c.opportunity_id.is_not(None),
            _visible_deal(lambda deal: deal.c.id == record.c.opportunity_id, binds),
        ),
        and_(
            record.c.opportunity_id.is_(None),
            record.c.account_id.is_not(None),
            exists(
                select(1).where(
                    account.c.tenant_id == binds.tenant, account.c.id == record.c.account_id, seen_account
                )
            ),
        ),
        and_(
            record.c.opportunity_id.is_(None),
            record.c.account_id.is_(None),
            _within_reach(record.c.owner_id, binds),
        ),
    )


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

    return or_(_within_reach(record.c.rep_id, binds), held_through("team_id"), held_through("territory_id"))
