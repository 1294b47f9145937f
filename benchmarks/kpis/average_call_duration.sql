-- The mean length of the calls in which somebody was reached, and the middle one, in seconds.
-- :include bucket
-- :include activity
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.seconds) as numerator, sum(a.n) as denominator, sum(a.n) as n, sum(a.median) as median,
    sum(a.planned) as x_planned, sum(a.unconnected) as x_unconnected, sum(a.endless) as x_no_duration,
    sum(a.undated) as x_undated
from (
    select b.i,
        c.rep,                                                                                 -- :reps
        c.n, c.seconds, (c.lengths[(c.n + 1) / 2] + c.lengths[c.n / 2 + 1]) / 2.0 as median,
        c.planned, c.unconnected, c.endless, 0 as undated
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(o.seconds)::int as n, sum(o.seconds) as seconds,
            array_agg(o.seconds order by o.seconds) filter (where o.seconds is not null) as lengths,
            count(*) filter (where not o.done) as planned,
            count(*) filter (where o.done and o.missed) as unconnected,
            count(*) filter (where o.done and not o.missed and o.duration_seconds is null) as endless
        from (
            select *, case when done and not missed then duration_seconds end as seconds
            from activity
            cross join lateral (
                select coalesce(translate(lower(outcome), ' -', '__') in (
                    'unconnected', 'not_connected', 'voicemail', 'left_voicemail', 'no_answer', 'busy', 'failed'
                ), false) as missed
            ) m
            where kind = 'call' and occurred_at >= b.starts and occurred_at < b.ends
                and (not done or occurred_at <= $asked)
        ) o
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, null, null, 0, 0, 0, count(*)
    from activity o cross join bucket b
    where o.done and o.occurred_at is null and o.kind = 'call'
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
