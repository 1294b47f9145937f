-- The mean time from opening to winning, in days.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.seconds) as numerator, sum(a.n) * 86400 as denominator, sum(a.n) as n,
    sum(a.unopened + a.unborn) as x_no_open_date, sum(a.negative) as x_negative_cycle,
    sum(a.undated) as x_no_close_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            sum(extract(epoch from o.closed_at - o.opened_at)) filter (where o.closed_at >= o.opened_at) as seconds,
            count(*) filter (where o.closed_at >= o.opened_at) as n,
            count(*) - count(o.opened_at) as unopened,
            count(*) filter (where o.closed_at < o.opened_at) as negative, 0 as undated, 0 as unborn
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, 0, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, 0, 0, 0, 0, count(*)                                                             -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
