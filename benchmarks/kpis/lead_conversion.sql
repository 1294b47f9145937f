-- Leads that have been converted ÷ all that came in.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.converted) as numerator, sum(a.n) as denominator, sum(a.n) as n,
    sum(a.converted) as of_resolved, sum(a.converted + a.given_up) as of_resolved_over,
    sum(a.n - a.converted - a.given_up) as open_share, sum(a.n) as open_share_over, sum(a.undated + a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) as n,
            count(o.converted_at) as converted,
            count(o.disqualified_at) filter (where o.converted_at is null) as given_up, 0 as undated, 0 as unborn
        from lead o
        where true and o.received_at >= b.starts and o.received_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, 0, count(*), 0
    from lead o cross join bucket b
    where o.received_at is null
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
