-- The time from opening to winning that half of the won deals did not need, in days; the mean, and the long ones.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.median) as numerator, 86400 as denominator, sum(a.n) as n, sum(a.seconds) as mean,
    sum(a.n) * 86400 as mean_over, sum(a.p75) as p75, 86400 as p75_over, sum(a.p90) as p90, 86400 as p90_over,
    sum(a.unopened + a.unborn) as x_no_open_date, sum(a.negative) as x_negative_cycle,
    sum(a.undated) as x_no_close_date
from (
    select b.i,
        c.rep,                                                                                 -- :reps
        c.n, c.seconds, (c.spans[(c.n + 1) / 2] + c.spans[c.n / 2 + 1]) / 2 as median,
        (c.spans[(c.n * 3 + 3) / 4] + c.spans[c.n * 3 / 4 + 1]) / 2 as p75,
        (c.spans[(c.n * 9 + 9) / 10] + c.spans[c.n * 9 / 10 + 1]) / 2 as p90,
        c.unopened, c.negative, 0 as undated, 0 as unborn
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.span >= 0)::int as n, sum(o.span) filter (where o.span >= 0) as seconds,
            array_agg(o.span order by o.span) filter (where o.span >= 0) as spans,
            count(*) - count(o.span) as unopened, count(*) filter (where o.span < 0) as negative
        from (
            select *, extract(epoch from closed_at - opened_at) as span from deal
            where category = 'won' and closed_at >= b.starts and closed_at < b.ends
        ) o
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, null, null, null, null, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, null, null, null, null, 0, 0, 0, count(*)                                           -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
