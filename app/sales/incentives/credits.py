"""From deals to credits: whose each deal is, what of it, and in which order, as common table expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sales.incentives.asked import Asked


def led(tenant: str) -> str:
    """Who was below whom, from when to when."""
    return f"""
led as materialized (
  with recursive down(leader_id, rep_id, since, until) as (
    select a.rep_id, h.record_id, h.valid_from, h.valid_to
    from (select distinct a.rep_id from assigned a join components k on k.version_id = a.version_id
          where k.kind = 'override') a
    join reps_history h on h.tenant_id = {tenant} and h.manager_id = a.rep_id and h.superseded_at = 'infinity'
    union
    select d.leader_id, h.record_id, greatest(d.since, h.valid_from), least(d.until, h.valid_to)
    from down d
    join reps_history h on h.tenant_id = {tenant} and h.manager_id = d.rep_id and h.superseded_at = 'infinity'
     and h.valid_from < d.until and h.valid_to > d.since
  )
  select * from down where leader_id <> rep_id
)"""


def candidates(tenant: str, starts: str, ends: str, *, with_team: bool) -> str:
    below = "union select rep_id from led" if with_team else ""
    return f"""
holders as materialized (select array(select rep_id from assigned {below}) as ids),
candidates as materialized (
  select d.id from opportunities d
  where d.tenant_id = {tenant} and d.category = 'won' and d.closed_at >= {starts} and d.closed_at < {ends}
    and d.credited_owner_id = any((select ids from holders)::uuid[])
  union
  select d.id from opportunities d
  where d.tenant_id = {tenant} and d.category = 'won' and d.closed_at >= {starts} and d.closed_at < {ends}
    and d.credited_owner_id is null and d.owner_id = any((select ids from holders)::uuid[])
  union
  select s.opportunity_id from opportunity_splits s
  where s.tenant_id = {tenant} and s.rep_id = any((select ids from holders)::uuid[])
)"""


_OF_A_DEAL = """amount, {0}.currency, coalesce({0}.credited_owner_id, {0}.owner_id) as owner_id, {0}.closed_at,
         ({0}.closed_at at time zone {1})::date as closed_on, {0}.type, {0}.sales_channel, {0}.lead_source,
         {0}.term_months, {0}.booked_on, {0}.paid_on"""


def deals(
    asked: Asked,
    tenant: str,
    starts: str,
    ends: str,
    zone: str,
    first_paid: str,
    *,
    only: bool,
    assumed: Mapping[str, Any] | None,
) -> str:
    """Deals of a backfill were paid elsewhere, before this service knew of them."""
    some = "and {0} = any(array(select id from candidates))" if only else ""
    text = f"""
deals as materialized (
  select d.id, d.{_OF_A_DEAL.format("d", zone)}, null::timestamptz as reversed_at
  from opportunities d
  where d.tenant_id = {tenant} and d.category = 'won' and d.closed_at >= {starts} and d.closed_at < {ends}
    and d.deleted_at is null {some.format("d.id")}
    and ({first_paid} is null or (d.closed_at at time zone {zone})::date >= {first_paid})
    and not exists (
      select 1 from opportunities_history h
      where h.tenant_id = {tenant} and h.record_id = d.id and h.origin = 'backfill' and h.category = 'won'
        and h.closed_at = d.closed_at and h.superseded_at = 'infinity' {some.format("h.record_id")}
    )"""
    if assumed is not None:
        id_, at = asked.give(assumed["id"], "uuid"), asked.give(assumed["at"], "timestamptz")
        text += f"""
  union all
  select d.id, d.amount, d.currency, d.owner_id, {at}, ({at} at time zone {zone})::date, d.type, d.sales_channel,
         d.lead_source, d.term_months, d.booked_on, d.paid_on, null
  from opportunities d where d.tenant_id = {tenant} and d.id = {id_} and d.category = 'open'"""
    return text + "\n)"


def reversed(
    asked: Asked,
    tenant: str,
    starts: str,
    ends: str,
    zone: str,
    first_paid: str,
    *,
    only: bool,
    assumed: Mapping[str, Any] | None,
) -> str:
    """Deals that were last won in the period and are not any more, as they were when that ended. What was won before
    and dated otherwise, or won again, has earned nothing but its last win; so has one that is assumed to be won."""
    some = (
        "and (coalesce(h.credited_owner_id, h.owner_id) = any((select ids from holders)::uuid[])"
        " or exists (select 1 from opportunity_splits s where s.tenant_id = h.tenant_id"
        " and s.opportunity_id = h.record_id and s.rep_id = any((select ids from holders)::uuid[])))"
        if only
        else ""
    )
    if assumed is not None:
        some += f" and h.record_id <> {asked.give(assumed['id'], 'uuid')}"
    return f"""
reversed as materialized (
  select h.record_id as id, h.{_OF_A_DEAL.format("h", zone)}, h.valid_to as reversed_at
  from opportunities_history h
  join opportunities o on o.tenant_id = {tenant} and o.id = h.record_id and o.category <> 'won'
   and o.deleted_at is null
  where h.tenant_id = {tenant} and h.category = 'won' and h.superseded_at = 'infinity' and h.valid_to < 'infinity'
    and h.closed_at >= {starts} and h.closed_at < {ends} and h.origin <> 'backfill' {some}
    and ({first_paid} is null or (h.closed_at at time zone {zone})::date >= {first_paid})
    and not exists (
      select 1 from opportunities_history l
      where l.tenant_id = {tenant} and l.record_id = h.record_id and l.category = 'won'
        and l.superseded_at = 'infinity' and l.valid_from >= h.valid_to
    )
)"""


def credits(tenant: str, *, with_reversed: bool, with_team: bool, only: bool = False) -> str:
    """Revenue splits, and what they leave is the owner's; overlays beside. The parts of a deal sum to its amount: each
    is cut down to a minor unit, and what that leaves goes to the largest remainders."""
    every = "deals union all select * from reversed" if with_reversed else "deals"
    some = "and s.opportunity_id = any(array(select id from counted))" if only else ""
    text = f"""
counted as materialized (select * from {every}),
splits as materialized (
  select s.opportunity_id, s.rep_id, s.kind, s.share
  from opportunity_splits s join counted d on d.id = s.opportunity_id
  where s.tenant_id = {tenant} {some}
),
shares as (
  select opportunity_id, rep_id, sum(share) as share from (
    select opportunity_id, rep_id, share from splits where kind = 'revenue'
    union all
    select d.id, d.owner_id, 1 - sum(s.share)
    from splits s join counted d on d.id = s.opportunity_id where s.kind = 'revenue'
    group by d.id, d.owner_id having sum(s.share) <> 1
  ) parts group by opportunity_id, rep_id
),
cut as (
  select s.opportunity_id, s.rep_id, s.share, u.unit, floor(d.amount * s.share / u.unit) as units,
         d.amount * s.share / u.unit - floor(d.amount * s.share / u.unit) as remainder, d.amount / u.unit as whole
  from shares s join counted d on d.id = s.opportunity_id
  left join minor m on m.currency = d.currency
  cross join lateral (
    select 10::numeric ^ -greatest(coalesce(m.digits, 2), scale(trim_scale(coalesce(d.amount, 0)))) as unit
  ) u
),
raw as materialized (
  select d.id as opportunity_id, d.owner_id as rep_id, 'own' as via, null::uuid as credited_rep_id,
         1::numeric as share, d.amount as credit
  from counted d where not exists (select 1 from splits s where s.opportunity_id = d.id and s.kind = 'revenue')
  union all
  select opportunity_id, rep_id, 'own', null, share,
         (units + case when row_number() over (partition by opportunity_id order by remainder desc, rep_id)
                            <= whole - sum(units) over (partition by opportunity_id) then 1 else 0 end) * unit
  from cut
  union all
  select s.opportunity_id, s.rep_id, 'overlay', null, s.share, d.amount * s.share
  from splits s join counted d on d.id = s.opportunity_id where s.kind = 'overlay'
)"""
    if with_team:
        return (
            text
            + """,
held as materialized (
  select * from raw
  union all
  select r.opportunity_id, l.leader_id, 'team', r.rep_id, r.share, r.credit
  from raw r join counted d on d.id = r.opportunity_id
  join led l on l.rep_id = r.rep_id and l.since <= d.closed_at and l.until > d.closed_at
  where r.via = 'own'
)"""
        )
    return text + ",\nheld as (select * from raw)"


def margins(tenant: str, *, only: bool) -> str:
    """What the lines of each deal leave when their cost, as known to have held at the close, is paid. One line without
    a cost, or whose cost has no rate, and nothing is known of the deal's margin."""
    some = "where l.opportunity_id = any(array(select id from counted))" if only else ""
    return f"""
margins as materialized (
  select d.id as opportunity_id, t.currency,
         case when count(*) = count(l.amount * f.rate - l.quantity * p.cost * g.rate)
              then sum(l.amount * f.rate - l.quantity * p.cost * g.rate) end as margin
  from counted d
  cross join (select distinct currency from assigned) t
  join opportunity_line_items l on l.tenant_id = {tenant} and l.opportunity_id = d.id
  left join products_history p on p.tenant_id = {tenant} and p.record_id = l.product_id
   and p.superseded_at = 'infinity' and p.valid_from <= d.closed_at and p.valid_to > d.closed_at
  left join fx f on f.source = d.currency and f.target = t.currency and f.day = d.closed_on
  left join fx g on g.source = p.currency and g.target = t.currency and g.day = d.closed_on
  {some}
  group by d.id, t.currency
)"""


NO_MARGINS = """
margins as (select null::uuid as opportunity_id, null::text as currency, null::numeric as margin where false)"""


def positioned() -> str:
    """Credits of each assignment in the order of their closes, in the plan's currency."""
    return """
keeps as (select version_id, min(clawback_days) as days from components group by version_id),
credited as materialized (
  select a.*, h.opportunity_id, h.credited_rep_id, h.via, h.share, h.credit, d.currency as credit_currency,
         f.rate as fx, h.credit * f.rate as amount, m.margin * h.share as margin, d.closed_at, d.closed_on,
         d.reversed_at, d.type, d.sales_channel, d.lead_source, d.term_months, d.booked_on, d.paid_on
  from assigned a
  join held h on h.rep_id = a.rep_id
  join counted d on d.id = h.opportunity_id and d.closed_on >= a.first and d.closed_on < a.last
  join keeps k on k.version_id = a.version_id
  left join fx f on f.source = d.currency and f.target = a.currency and f.day = d.closed_on
  left join margins m on m.opportunity_id = d.id and m.currency = a.currency
  where d.reversed_at is null or d.reversed_at > d.closed_at + k.days * interval '1 day'
),
positioned as materialized (
  select *, sum(amount) over upto as after, sum(amount) over upto - amount as before,
         sum(amount) over (partition by assignment_id, via) as credited,
         sum(amount) over (partition by assignment_id, via) / nullif(target, 0) as attainment
  from credited
  window upto as (partition by assignment_id, via order by closed_at, opportunity_id, credited_rep_id)
)"""
