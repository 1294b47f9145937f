-- What the tiers of one plan make of the credits of a period, by rep: $1 tenant, $2 zone, $3 and $4 the period's days,
-- $5 the version.
with won as (
  select id, coalesce(credited_owner_id, owner_id) as owner_id, amount, currency, closed_at,
         (closed_at at time zone $2)::date as day
  from opportunities
  where tenant_id = $1 and category = 'won' and deleted_at is null
    and closed_at >= $3::date::timestamp at time zone $2 and closed_at < $4::date::timestamp at time zone $2
),
split as (
  select w.id, s.rep_id, w.amount * s.share as amount, w.currency, w.closed_at, w.day
  from won w join opportunity_splits s on s.tenant_id = $1 and s.opportunity_id = w.id and s.kind = 'revenue'
  union all
  select w.id, w.owner_id, w.amount, w.currency, w.closed_at, w.day
  from won w
  where not exists (select from opportunity_splits s where s.tenant_id = $1 and s.opportunity_id = w.id)
),
rates as (
  select d.currency, d.day,
         case when d.currency = 'USD' then 1
              else (select r.rate from exchange_rates r
                    where r.tenant_id = $1 and r.from_currency = d.currency and r.to_currency = 'USD'
                      and r.on_day <= d.day and r.deleted_at is null order by r.on_day desc limit 1) end as rate
  from (select distinct currency, day from won) d
),
run as (
  select s.rep_id, s.amount * r.rate as amount,
         sum(s.amount * r.rate) over (partition by s.rep_id order by s.closed_at, s.id) as after
  from split s join rates r on r.currency = s.currency and r.day = s.day
),
tiers as (
  select above, coalesce(lead(above) over (order by above), 'infinity') as below, rate,
         row_number() over (order by above) as tier
  from comp_plan_tiers where tenant_id = $1 and version_id = $5 and component = 'commission'
)
select r.rep_id, t.tier, sum(least(r.after, t.below * a.target) - greatest(r.after - r.amount, t.above * a.target)) as credited,
       sum((least(r.after, t.below * a.target) - greatest(r.after - r.amount, t.above * a.target)) * t.rate) as earned
from run r
join plan_assignments a on a.tenant_id = $1 and a.rep_id = r.rep_id and a.deleted_at is null
join tiers t on r.after > t.above * a.target and r.after - r.amount < t.below * a.target
group by r.rep_id, t.tier
