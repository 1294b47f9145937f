-- What was done on the deals won in the bucket, before each was won ÷ their number.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.done) as numerator, sum(a.n) as denominator, sum(a.n) as n, sum(a.undated) as x_no_close_date,
    sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) as n, sum(d.n) as done, 0 as undated, 0 as unborn
        from deal o
        cross join lateral (
            select count(*) as n
            from activities x                                                                  -- :now
            where x.deleted_at is null and                                                     -- :now
            from activities_history x                                                          -- :past :known
            where x.valid_from <= $asked and x.valid_to > $asked and                           -- :past :known
                x.superseded_at = 'infinity' and                                               -- :past
                x.recorded_at <= $known and x.superseded_at > $known and                       -- :known
                x.tenant_id = $tenant and x.opportunity_id = o.id and x.done and x.occurred_at < o.closed_at
        ) d
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, 0, count(*)                                                                      -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
