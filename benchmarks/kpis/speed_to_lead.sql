-- How long leads waited for the first answer, in seconds: the middle, the mean and the slow ones.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.median) as value, sum(a.n) as n, sum(a.seconds) as mean, sum(a.n) as mean_over, sum(a.p90) as p90,
    sum(a.p95) as p95, sum(a.within_5) as within_5_minutes, sum(a.created) as within_5_minutes_over,
    sum(a.within_15) as within_15_minutes, sum(a.created) as within_15_minutes_over,
    sum(a.within_60) as within_60_minutes, sum(a.created) as within_60_minutes_over,
    sum(a.created - a.answered) as unanswered_share, sum(a.created) as unanswered_share_over,
    sum(a.negative) as x_negative_response, sum(a.undated) as x_no_open_date
from (
    select b.i,
        c.rep,                                                                                 -- :reps
        c.n, c.seconds, (c.waits[(c.n + 1) / 2] + c.waits[c.n / 2 + 1]) / 2 as median,
        (c.waits[(c.n * 9 + 9) / 10] + c.waits[c.n * 9 / 10 + 1]) / 2 as p90,
        (c.waits[(c.n * 19 + 19) / 20] + c.waits[c.n * 19 / 20 + 1]) / 2 as p95,
        c.created, c.answered, c.negative, c.within_5, c.within_15, c.within_60, 0 as undated
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) as created, count(o.wait) as answered, count(*) filter (where o.wait < 0) as negative,
            count(*) filter (where o.wait >= 0)::int as n, sum(o.wait) filter (where o.wait >= 0) as seconds,
            array_agg(o.wait order by o.wait) filter (where o.wait >= 0) as waits,
            count(*) filter (where o.wait between 0 and 300) as within_5,
            count(*) filter (where o.wait between 0 and 900) as within_15,
            count(*) filter (where o.wait between 0 and 3600) as within_60
        from (
            select *, extract(epoch from first_response_at - received_at) as wait from lead
            where received_at >= b.starts and received_at < b.ends
        ) o
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, null, null, null, null, 0, 0, 0, 0, 0, 0, count(*)
    from lead o cross join bucket b
    where o.received_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, null, null, null, null, 0, 0, 0, 0, 0, 0, count(*)                                  -- :past
    from bucket b join unborn o on o.valid_from > $asked                                       -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
