-- :include led
, piece as materialized (
    select q.rep_id as rep, q.currency, q.starts_on, q.days, s.amount, lower(d.days) as from_day,
        upper(d.days) as to_day, q.rep_id is null or l.leader_id is not null as assigned
    from (
        select k.*, range_agg(daterange(k.starts_on, k.ends_on)) over (
            partition by coalesce(k.rep_id, k.team_id, k.territory_id) order by k.days
            range between unbounded preceding and 1 preceding
        ) as finer
        from kept k
        where k.starts_on < $last_day::date and k.ends_on > $first_day::date
    ) q
    cross join lateral (
        select c.day, coalesce(lead(c.day) over (order by c.day, c.later), q.ends_on) as until, c.amount
        from (
            select q.starts_on as day, q.amount, 0 as later
            union all
            select v.effective_from, v.amount, 1 from change v where v.quota_id = q.id
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
    select b.i,
        p.rep,                                                                                 -- :reps
        null::uuid as rep,                                                                     -- :whole
        p.currency, p.starts_on,
        sum(round(p.amount * d.days, 40) / p.days) filter (where not p.assigned) as total,
        count(*) filter (where not p.assigned) as n, count(*) filter (where p.assigned) as assigned
    from bucket b
    join piece p on p.from_day < b.last and p.to_day > b.first
    cross join lateral (select least(p.to_day, b.last) - greatest(p.from_day, b.first) as days) d
    where d.days > 0
    group by b.i,
        p.rep,                                                                                 -- :reps
        p.currency, p.starts_on
)
-- :include owed
