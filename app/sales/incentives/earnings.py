"""From credits to lines: what each component makes of each credit, exact until the last step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Date, Numeric, Text, column, table
from sqlalchemy.sql.elements import ColumnElement

from app.language.formula.formula import Formula, parse
from app.language.formula.types import Type
from app.sales.incentives.asked import Asked
from app.sales.incentives.terms import OF_A_CREDIT, OF_A_PERIOD

_TYPES = {
    Type.MONEY: Numeric(), Type.NUMBER: Numeric(), Type.RATIO: Numeric(), Type.TEXT: Text(), Type.DATE: Date(),
}  # fmt: skip


MOST = "1e12"
"""What a line pays is less than this, whatever a formula comes to: so no sum outgrows what can be stored."""


def _columns(alias: str, names: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    source = table(alias, *(column(x, _TYPES[OF_A_CREDIT[x].type]) for x in names))
    return {x: source.c[x] for x in names}


def _read(text: str, expects: Type, *, aggregates: bool = False) -> Formula:
    return parse(text, OF_A_CREDIT, expects=expects, aggregates=aggregates)


def _cases(asked: Asked, terms: Sequence[Mapping[str, Any]], name: str, expects: Type, otherwise: str) -> str:
    """Each component's own formula, by its id."""
    told = [x for x in terms if x[name] is not None and x["kind"] != "bonus"]
    if not told:
        return otherwise
    arms = "".join(
        f" when {asked.give(x['id'], 'uuid')}"
        f" then {asked.express(_read(x[name], expects).compile(_columns('p', OF_A_CREDIT)))}"
        for x in told
    )
    return f"(case k.id{arms} else {otherwise} end)"


def pieces(asked: Asked, terms: Sequence[Mapping[str, Any]]) -> str:
    """A row for each credit, component and tier. What is earned is exact; rounded is what the tiers of one credit have
    come to, so that its parts sum to the whole. Most credits lie in one tier and need no such sum."""
    applies = _cases(asked, terms, "applies_when", Type.BOOL, "true")
    formula = _cases(asked, terms, "formula", Type.MONEY, "null::numeric")
    capped = any(x["cap"] is not None for x in terms)
    whole = "select *, 0::numeric as exact_before, round(exact, digits) as earns from earned"
    parts = """
  select *, sum(exact) over one - exact as exact_before,
         round(sum(exact) over one, digits) - round(sum(exact) over one - exact, digits) as earns
  from earned where piece <> amount
  window one as (partition by assignment_id, component_id, opportunity_id, credited_rep_id order by tier)"""
    if any(x["tiering"] == "marginal" for x in terms):
        rounded = f"{whole} where (piece <> amount) is not true union all {parts}"
    else:
        rounded = whole
    text = f"""
bounds as materialized (
  select a.assignment_id, k.id as component_id, t.tier, t.above, nullif(t.high, 'infinity') as below, t.rate, b.base,
         t.low * b.base as low, t.high * b.base as high
  from assigned a
  join components k on k.version_id = a.version_id
  join tiers t on t.version_id = k.version_id and t.component = k.code
  cross join lateral (select case k.tiered_by when 'credited' then 1 else a.target end as base) b
  where b.base > 0
),
tiered as (
  select p.*, k.id as component_id, k.code, k.kind, k.measure, k.rate as flat_rate, k.amount as flat_amount, k.tiered,
         k.tiered_by, k.tiering, k.threshold, k.cap, k.hold_until, k.formula, coalesce(t.tier, 0) as tier, t.above,
         t.below, t.rate as tier_rate, t.base,
         {formula} as told,
         case when k.measure = 'margin' then p.margin else p.amount end as measured,
         case when t.tier is null or k.tiering = 'retroactive' then p.amount
              else least(greatest(p.after, t.low), t.high) - least(greatest(p.before, t.low), t.high) end as piece
  from positioned p
  join components k on k.version_id = p.version_id and k.via = p.via
   and k.kind in ('commission', 'spiff', 'overlay', 'override')
   and (k.starts_on is null or p.closed_on >= k.starts_on) and (k.ends_on is null or p.closed_on < k.ends_on)
   and (p.reversed_at is null or p.reversed_at > p.closed_at + k.clawback_days * interval '1 day')
  left join bounds t on t.assignment_id = p.assignment_id and t.component_id = k.id and p.amount is not null
   and case k.tiering
       when 'retroactive' then p.credited >= t.low and p.credited < t.high
       else p.amount <> 0 and greatest(p.before, p.after) > t.low and least(p.before, p.after) < t.high end
  where {applies} is true
),
reasoned as (
  select *,
         case when credit is null then 'no_amount'
              when fx is null then 'missing_fx'
              when measure = 'margin' and margin is null then 'no_cost'
              when (tiered and tiered_by = 'attainment' or threshold is not null) and attainment is null
                then 'no_quota'
              when threshold is not null and attainment < threshold then 'below_threshold' end as reason
  from tiered
),
reckoned as (
  select r.*, m.digits,
         case when reason is not null then 0
              when flat_amount is not null then flat_amount * share
              when told is not null then told
              when not tiered then coalesce(measured * flat_rate, 0)
              when tier = 0 then 0
              when measure = 'margin' and tiering = 'marginal' then margin * piece / nullif(amount, 0) * tier_rate
              when measure = 'margin' then margin * tier_rate
              else piece * tier_rate end as comes_to
  from reasoned r join minor m on m.currency = r.currency
),
earned as (
  select r.*, case when abs(comes_to) < {MOST} then comes_to else 0 end as exact,
         case when r.reason is null and formula is not null and told is null then 'undefined'
              when abs(comes_to) >= {MOST} then 'too_large' else r.reason end as why
  from reckoned r
),
rounded as (
  {rounded}
)"""
    if capped:
        text += """,
pieces as materialized (
  select *, case when cap is null then earns
                 else least(sum(earns) over upto, cap) - least(sum(earns) over upto - earns, cap) end as amount_earned,
         case when cap is not null then sum(earns) over upto - earns end as cap_before
  from rounded
  window upto as (partition by assignment_id, component_id order by closed_at, opportunity_id, credited_rep_id, tier)
)"""
    else:
        text += ",\npieces as materialized (select *, earns as amount_earned, null::numeric as cap_before from rounded)"
    return text


def attained_by(version: str) -> str:
    """Which credits attainment is of: those of the team where the version pays an override, else one's own."""
    return f"""(select case when bool_or(o.kind = 'override') then 'team' else 'own' end
                     from components o where o.version_id = {version})"""


def bonuses(asked: Asked, terms: Sequence[Mapping[str, Any]]) -> str:
    """A bonus is of a period: its formula adds up the credits of an assignment, those of the team where the version
    pays an override."""
    selects = []
    for term in (x for x in terms if x["kind"] == "bonus"):
        applies = term["applies_when"] and _read(term["applies_when"], Type.BOOL, aggregates=True)
        formula = term["formula"] and _read(term["formula"], Type.MONEY, aggregates=True)
        sums = list(dict.fromkeys(a for x in (applies, formula) if x for a in x.aggregates))
        id_ = asked.give(term["id"], "uuid")
        grouped = "".join(
            f", {asked.express(x.compile(_columns('c', OF_A_CREDIT)))} as g{place}"
            for place, x in enumerate(sums)
        )
        reached = "".join(
            f", coalesce(c.g{place}, 0) as g{place}" if x.function == "count" else f", c.g{place}"
            for place, x in enumerate(sums)
        )
        of_period = _columns("s", OF_A_PERIOD)
        gathered = table("s", *(column(f"g{x}", Numeric()) for x in range(len(sums))))
        results = {x: gathered.c[f"g{place}"] for place, x in enumerate(sums)}
        condition = asked.express(applies.compile(of_period, results)) if applies else "true"
        told = asked.express(formula.compile(of_period, results)) if formula else "k.amount"
        places = ", ".join(f"s.g{sums.index(x)}" for x in formula.aggregates) if formula else ""
        selects.append(f"""
  select s.*, k.code, k.kind, k.formula, k.amount as flat_amount, {told} as exact,
         {f"jsonb_build_array({places})" if places else "null::jsonb"} as sums
  from components k
  join lateral (
    select a.*, coalesce(c.credited, 0) as credited,
           coalesce(c.credited, 0) / nullif(a.target, 0) as attainment{reached}
    from assigned a
    left join (
      select c.assignment_id, sum(c.amount) as credited{grouped}
      from credited c
      where c.via = {attained_by(asked.give(term["version_id"], "uuid"))}
      group by c.assignment_id
    ) c on c.assignment_id = a.assignment_id
    where a.version_id = {asked.give(term["version_id"], "uuid")}
  ) s on true
  where k.id = {id_} and ({condition}) is true""")
    columns = (
        "assignment_id, rep_id, version_id, currency, last, code, kind, formula, exact, target, credited, attainment,"
        " flat_amount, sums, on_target_earnings, variable_share"
    )
    every = " union all ".join(f"select {columns} from ({x}) b" for x in selects)
    return f"\nbonuses as ({every or _NO_BONUS})"


_NO_BONUS = """
  select null::uuid as assignment_id, null::uuid as rep_id, null::uuid as version_id, null::text as currency,
         null::date as last, null::text as code, null::text as kind, null::text as formula, null::numeric as exact,
         null::numeric as target, null::numeric as credited, null::numeric as attainment,
         null::numeric as flat_amount, null::jsonb as sums, null::numeric as on_target_earnings,
         null::numeric as variable_share
  where false"""


def computed(period: str) -> str:
    """Lines by a key that stays the same however often they are reckoned, whatever they come to."""
    return f"""
computed as materialized (
  select md5(concat_ws('|', assignment_id, {period}, component, opportunity_id, credited_rep_id, tier, account))::uuid
           as line_key, x.*
  from (
    select assignment_id, rep_id, version_id, currency, code as component, kind, opportunity_id, credited_rep_id,
           tier::integer as tier,
           case when hold_until = 'booked' and booked_on is null or hold_until = 'paid' and paid_on is null
                then 'held' else 'payable' end as account,
           closed_on as on_day, amount_earned as amount,
           coalesce(why, case when amount_earned = 0 and earns <> 0 then 'capped' end) as reason,
           json_object(
             'credit': credit, 'credit_currency': credit_currency, 'share': share, 'rate_of_exchange': fx,
             'credited': amount, 'margin': case when measure = 'margin' then margin end,
             'target': target, 'attainment': attainment, 'total_credited': credited,
             'tier': case when tier > 0 then json_object(
               'above': above, 'below': below, 'by': tiered_by, 'tiering': tiering, 'base': base,
               'credited_before': before, 'piece': piece absent on null returning jsonb) end,
             'rate': coalesce(tier_rate, flat_rate), 'amount': flat_amount, 'formula': formula,
             'given': case when formula is not null then json_object(
               'margin': margin, 'on_target_earnings': on_target_earnings, 'variable_share': variable_share,
               'term_months': term_months, 'type': type, 'sales_channel': sales_channel, 'lead_source': lead_source,
               'closed_on': closed_on absent on null returning jsonb) end,
             'threshold': threshold, 'exact': exact, 'exact_of_lower_tiers': nullif(exact_before, 0),
             'digits': digits, 'cap': cap, 'paid_before_cap': cap_before, 'hold_until': hold_until
             absent on null returning jsonb) as trace
    from pieces
    union all
    select b.assignment_id, b.rep_id, b.version_id, b.currency, b.code, b.kind, null, null, 0, 'payable',
           b.last - 1, case when abs(b.exact) < {MOST} then round(b.exact, m.digits) else 0 end,
           case when abs(b.exact) >= {MOST} then 'too_large' end,
           json_object(
             'target': b.target, 'attainment': b.attainment, 'total_credited': b.credited, 'amount': b.flat_amount,
             'formula': b.formula, 'sums': b.sums, 'given': case when b.formula is not null then json_object(
               'on_target_earnings': b.on_target_earnings, 'variable_share': b.variable_share
               absent on null returning jsonb) end,
             'exact': b.exact, 'digits': m.digits absent on null returning jsonb)
    from bonuses b join minor m on m.currency = b.currency where b.exact is not null
  ) x
)"""
