-- Hours that went to selling ÷ the working hours of reps at work, or of those without a calendar the hours they logged.
-- :include bucket
-- :include activity
-- :include span
-- :include stretch
-- :include clock
, timed as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select o.rep, count(o.ends) as n,
            sum(extract(epoch from o.ends - greatest(o.occurred_at, o.covered)))
                filter (where o.ends > o.covered is not false) as logged,
            sum(extract(epoch from o.ends - greatest(o.occurred_at, o.sold)))
                filter (where o.sells and o.ends > o.sold is not false) as selling,
            sum(extract(epoch from o.ends - greatest(o.occurred_at, o.prepared)))
                filter (where (o.sells or o.prepares) and o.ends > o.prepared is not false) as preparing,
            count(*) filter (where not o.done) as planned,
            count(*) filter (where o.done and o.rep is null) as ownerless,
            count(*) filter (where o.done and o.rep is not null and o.ends is null) as endless
        from (
            select x.rep, x.done, x.occurred_at, x.ends, x.sells, x.prepares,
                max(x.ends) over earlier as covered,
                max(x.ends) filter (where x.sells) over earlier as sold,
                max(x.ends) filter (where x.sells or x.prepares) over earlier as prepared
            from (
                select *, purpose in ('selling', 'prospecting') as sells, purpose = 'preparation' as prepares,
                    case when done and rep is not null then occurred_at + duration_seconds * interval '1 second' end as ends
                from activity
                where occurred_at >= b.starts and occurred_at < b.ends and (not done or occurred_at <= $asked)
                    and (rep in (select rep_id from mine) or rep is null)                      -- :manager
            ) x
            window earlier as (
                partition by x.rep order by x.occurred_at, x.id rows between unbounded preceding and 1 preceding
            )
        ) o
        group by o.rep
    ) c
)
, hours as (
    select d.i, d.rep, sum(until.hours - since.hours) filter (where d.until > d.since) as worked, sum(d.untold) as untold
    from (
        select b.i, s.rep, greatest(s.since, s.told, b.first) as since, least(s.until, b.last) as until,
            coalesce(least(s.until, s.told, b.last) > greatest(s.since, b.first) and s.told is not null, false)::int as untold
        from bucket b
        join span s on s.since < b.last and s.until > b.first
    ) d
    join worker e on e.rep = d.rep
    join clock since on since.calendar_id = e.calendar_id and since.day = least(d.since, d.until)
    join clock until on until.calendar_id = e.calendar_id and until.day = d.until
    group by d.i, d.rep
)
select a.i,
    a.rep,                                                                                     -- :reps
    coalesce(sum(a.selling), 0) as numerator, sum(a.worked) * 3600 + sum(a.unscheduled) as denominator, sum(a.n) as n,
    coalesce(sum(a.preparing), 0) as with_preparation,
    sum(a.worked) * 3600 + sum(a.unscheduled) as with_preparation_over,
    coalesce(sum(a.selling), 0) as of_logged, sum(a.logged) as of_logged_over, sum(a.worked) as working_hours,
    sum(a.unscheduled) as logged_hours, 3600 as logged_hours_over,
    sum(a.planned) as x_planned, sum(a.ownerless) as x_no_owner, sum(a.endless) as x_no_duration,
    sum(a.untold) as x_no_hire_date
from (
    select t.i, t.rep, t.n, t.logged, t.selling, t.preparing, t.planned, t.ownerless, t.endless, 0 as worked, 0 as untold,
        case when t.rep is null or e.calendar_id is not null then 0 else coalesce(t.logged, 0) end as unscheduled
    from timed t
    left join worker e on e.rep = t.rep
    union all
    select i, rep, 0, 0, 0, 0, 0, 0, 0, coalesce(worked, 0), untold, 0 from hours
) a
group by a.i
    , a.rep                                                                                    -- :reps
