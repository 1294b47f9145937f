-- What reps have done ÷ the mean of how many of them were at work as the days of the bucket began.
-- :include bucket
-- :include activity
-- :include worked
, acted as (
    select a.i,
        a.rep,                                                                                 -- :reps
        sum(a.n) as n, sum(a.planned) as planned, sum(a.ownerless) as ownerless, sum(a.undated) as undated
    from (
        select b.i, c.*
        from bucket b
        cross join lateral (
            select
                o.rep,                                                                         -- :reps
                count(o.rep) filter (where o.done) as n, count(*) filter (where not o.done) as planned,
                count(*) filter (where o.done and o.rep is null) as ownerless, 0 as undated
            from activity o
            where o.occurred_at >= b.starts and o.occurred_at < b.ends and (not o.done or o.occurred_at <= $asked)
                and (o.rep in (select rep_id from mine) or o.rep is null)                      -- :manager
            group by o.rep                                                                     -- :reps
        ) c
        union all
        select b.i,
            o.rep,                                                                             -- :reps
            0, 0, 0, count(*)
        from activity o cross join bucket b
        where o.done and o.occurred_at is null
            and (o.rep in (select rep_id from mine) or o.rep is null)                          -- :manager
        group by b.i
            , o.rep                                                                            -- :reps
    ) a
    group by a.i
        , a.rep                                                                                -- :reps
)
select coalesce(a.i, w.i) as i,
    coalesce(a.rep, w.rep) as rep,                                                             -- :reps
    coalesce(a.n, 0) * w.of as numerator, w.days as denominator, coalesce(a.n, 0) as n, a.planned as x_planned,
    a.ownerless as x_no_owner, a.undated as x_undated, w.untold as x_no_hire_date
from acted a
full join worked w on w.i = a.i
    and w.rep = a.rep                                                                          -- :reps
