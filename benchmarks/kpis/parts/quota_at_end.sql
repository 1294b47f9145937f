-- :include led
, piece as materialized (
    select q.i, q.first, q.last, q.rep_id as rep, q.currency, q.starts_on, q.days, s.amount, lower(d.days) as from_day,
        upper(d.days) as to_day, q.rep_id is null or l.leader_id is not null as assigned
    from (
        select k.*, b.i, b.at, b.first, b.last, k.ends_on - k.starts_on as days,
            range_agg(daterange(k.starts_on, k.ends_on)) over (
                partition by b.i, coalesce(k.rep_id, k.team_id, k.territory_id) order by k.ends_on - k.starts_on
                range between unbounded preceding and 1 preceding
            ) as finer
        from bucket b
        join quotas_history k on k.starts_on < b.last and k.ends_on > b.first
            and k.valid_from <= b.at and k.valid_to > b.at
        where k.tenant_id = $tenant and k.metric = 'bookings'
            and k.superseded_at = 'infinity'                                                   -- :now :past
            and k.recorded_at <= $known and k.superseded_at > $known                           -- :known
    ) q
    cross join lateral (
        select c.day, coalesce(lead(c.day) over (order by c.day, c.later), q.ends_on) as until, c.amount
        from (
            select q.starts_on as day, q.amount, 0 as later
            union all
            select v.effective_from, v.amount, 1 from quota_versions_history v
            where v.tenant_id = $tenant and v.quota_id = q.record_id and v.valid_from <= q.at and v.valid_to > q.at
                and v.superseded_at = 'infinity'                                               -- :now :past
                and v.recorded_at <= $known and v.superseded_at > $known                       -- :known
        ) c
    ) s
    cross join lateral unnest(
        datemultirange(daterange(s.day, s.until)) - coalesce(q.finer, '{}'::datemultirange)
    ) d (days)
    left join led l on l.leader_id = q.rep_id and l.days && daterange(q.starts_on, q.ends_on)
    where (q.rep_id in (select rep_id from mine)                                               -- :manager
        or q.team_id in (select team_id from reps where tenant_id = $tenant                    -- :manager
            and id in (select rep_id from mine))                                               -- :manager
        or q.territory_id in (select territory_id from reps where tenant_id = $tenant          -- :manager
            and id in (select rep_id from mine)))                                              -- :manager
)
, share as not materialized (
    select p.i,
        p.rep,                                                                                 -- :reps
        null::uuid as rep,                                                                     -- :whole
        p.currency, p.starts_on,
        sum(round(p.amount * d.days, 40) / p.days) filter (where not p.assigned) as total,
        count(*) filter (where not p.assigned) as n, count(*) filter (where p.assigned) as assigned
    from piece p
    cross join lateral (select least(p.to_day, p.last) - greatest(p.from_day, p.first) as days) d
    where d.days > 0
    group by p.i,
        p.rep,                                                                                 -- :reps
        p.currency, p.starts_on
)
-- :include owed
