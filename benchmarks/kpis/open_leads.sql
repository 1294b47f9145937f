-- Leads that are neither converted nor disqualified in a bucket's last instant.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n) as value, sum(a.n) as n, sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) as n, 0 as unborn
        from version o
        where o.disqualified_at is null and o.converted_at is null and o.valid_from <= b.at and o.valid_to > b.at
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, count(*)
    from bucket b join unborn o on o.valid_from > b.at
    where (o.disqualified_at is null or o.disqualified_at > b.at) and (o.converted_at is null or o.converted_at > b.at)
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
