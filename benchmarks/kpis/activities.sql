-- What was done, by the moment at which it took place.
-- :include bucket
-- :include activity
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n) as value, sum(a.n) as n, sum(a.planned) as x_planned, sum(a.undated) as x_undated
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.done) as n, count(*) filter (where not o.done) as planned, 0 as undated
        from activity o
        where o.occurred_at >= b.starts and o.occurred_at < b.ends and (not o.done or o.occurred_at <= $asked)
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, count(*)
    from activity o cross join bucket b
    where o.done and o.occurred_at is null
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
