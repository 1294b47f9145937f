-- Won ÷ all deals opened in the bucket.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.won) as numerator, sum(a.n) as denominator, sum(a.n) as n,
    sum(a.still_open) as open_share, sum(a.n) as open_share_over, sum(a.undated + a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.category = 'won') as won,
            count(*) filter (where o.category = 'open') as still_open,
            count(*) as n, 0 as undated, 0 as unborn
        from deal o
        where true and o.opened_at >= b.starts and o.opened_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.opened_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, 0, 0, count(*)                                                                   -- :past
    from bucket b join unborn o on o.valid_from > $asked and true                              -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
