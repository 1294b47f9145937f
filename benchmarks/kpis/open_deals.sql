-- How many deals are open in a bucket's last instant.
-- :include bucket
-- :include version
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
        where o.category = 'open' and o.valid_from <= b.at and o.valid_to > b.at
        group by o.rep                                                                         -- :reps
    ) c
    union all                                                                                  -- :now
    select b.i,                                                                                -- :now
        o.rep,                                                                                 -- :now :reps
        0, count(*)                                                                      -- :now
    from bucket b join version o on o.opened_at is null and o.valid_from > b.at                -- :now
    where (o.closed_at is null or o.closed_at > b.at)                                          -- :now
        and not exists (                                                                       -- :now
            select from opportunities_history e                                                -- :now
            where e.tenant_id = $tenant and e.record_id = o.id and e.valid_from < o.valid_from -- :now
                and e.superseded_at = 'infinity'                                               -- :now
        )                                                                                      -- :now
    group by b.i                                                                               -- :now
        , o.rep                                                                                -- :now :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
