-- Won ÷ (won + lost) of the deals with a competitor.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.won) as numerator, sum(a.decided) as denominator, sum(a.decided) as n,
    sum(a.abandoned) as x_abandoned, sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.category = 'won') as won,
            count(*) filter (where o.category <> 'abandoned') as decided,
            count(*) filter (where o.category = 'abandoned') as abandoned, 0 as undated, 0 as unborn
        from deal o
        where o.category <> 'open' and o.competitor is not null and o.closed_at >= b.starts and o.closed_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category <> 'open' and o.competitor is not null and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, 0, 0, count(*)                                                                   -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category <> 'open' and o.competitor is not null and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
