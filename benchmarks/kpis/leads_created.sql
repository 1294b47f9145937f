-- Leads by the moment at which they came in.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n) as value, sum(a.n) as n, sum(a.undated + a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) as n, 0 as undated, 0 as unborn
        from lead o
        where true and o.received_at >= b.starts and o.received_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, count(*), 0
    from lead o cross join bucket b
    where o.received_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, count(*)                                                                         -- :past
    from bucket b join unborn o on o.valid_from > $asked and true                              -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
