-- Hours in which managers coached ÷ the hours they worked while somebody reported to them, or else the hours they logged.
-- :include bucket
-- :include activity
-- :include span
-- :include stretch
-- :include clock
, leader as materialized (
    select manager_id as rep, range_agg(tstzrange(valid_from,
        valid_to                                                                               -- :now :past
        case when valid_to > $known then 'infinity' else valid_to end                          -- :known
    )) as spans
    from reps_history
    where tenant_id = $tenant and manager_id is not null
        and superseded_at = 'infinity'                                                         -- :now :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
    group by manager_id
)
, timed as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select o.rep, count(o.ends) as n,
            sum(extract(epoch from o.ends - greatest(o.occurred_at, o.covered)))
                filter (where o.ends > o.covered is not false) as logged,
            sum(extract(epoch from o.ends - greatest(o.occurred_at, o.taught)))
                filter (where o.coaches and o.ends > o.taught is not false) as coaching,
            count(*) filter (where not o.done) as planned, count(*) filter (where o.done and o.ends is null) as endless
        from (
            select x.rep, x.done, x.occurred_at, x.ends, x.coaches, x.spans,
                max(x.ends) over earlier as covered, max(x.ends) filter (where x.coaches) over earlier as taught
            from (
                select a.*, l.spans, a.purpose = 'coaching' as coaches,
                    case when a.done then a.occurred_at + a.duration_seconds * interval '1 second' end as ends
                from leader l
                join activity a on a.owner_id = l.rep
                where a.occurred_at >= b.starts and a.occurred_at < b.ends and (not a.done or a.occurred_at <= $asked)
                    and a.rep in (select rep_id from mine)                                     -- :manager
            ) x
            window earlier as (
                partition by x.rep order by x.occurred_at, x.id rows between unbounded preceding and 1 preceding
            )
        ) o
        where o.spans @> o.occurred_at
        group by o.rep
    ) c
)
, hours as (
    select d.i, d.rep, sum(until.hours - since.hours) filter (where d.until > d.since) as worked, sum(d.untold) as untold
    from (
        select b.i, s.rep, greatest(s.since, s.told, l.since, b.first) as since, least(s.until, l.until, b.last) as until,
            coalesce(least(s.until, s.told, l.until, b.last) > greatest(s.since, l.since, b.first) and s.told is not null, false)::int as untold
        from (
            select rep, ((lower(s) - interval '1 microsecond') at time zone $zone)::date + 1 as since,
                ((upper(s) - interval '1 microsecond') at time zone $zone)::date + 1 as until
            from leader cross join lateral unnest(spans) s
        ) l
        join span s on s.rep = l.rep
        join bucket b on s.since < b.last and s.until > b.first and l.since < b.last and l.until > b.first
    ) d
    join worker e on e.rep = d.rep
    join clock since on since.calendar_id = e.calendar_id and since.day = least(d.since, d.until)
    join clock until on until.calendar_id = e.calendar_id and until.day = d.until
    group by d.i, d.rep
)
select a.i,
    a.rep,                                                                                     -- :reps
    coalesce(sum(a.coaching), 0) as numerator, sum(a.worked) * 3600 + sum(a.unscheduled) as denominator, sum(a.n) as n,
    coalesce(sum(a.coaching), 0) as of_logged, sum(a.logged) as of_logged_over, sum(a.worked) as working_hours,
    sum(a.unscheduled) as logged_hours, 3600 as logged_hours_over,
    sum(a.planned) as x_planned, sum(a.endless) as x_no_duration, sum(a.untold) as x_no_hire_date
from (
    select t.i, t.rep, t.n, t.logged, t.coaching, t.planned, t.endless, 0 as worked, 0 as untold,
        case when e.calendar_id is not null then 0 else coalesce(t.logged, 0) end as unscheduled
    from timed t
    left join worker e on e.rep = t.rep
    union all
    select i, rep, 0, 0, 0, 0, 0, coalesce(worked, 0), untold, 0 from hours
) a
group by a.i
    , a.rep                                                                                    -- :reps
