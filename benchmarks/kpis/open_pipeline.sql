-- The amounts of the deals that are open in a bucket's last instant, at the rates of that day.
-- :include bucket
-- :include rate
-- :include version
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, sum(o.amount) as total, count(*) filter (where o.amount is not null) as n,
            count(*) - count(o.amount) as no_amount, 0 as unborn
        from version o
        where o.category = 'open' and o.valid_from <= b.at and o.valid_to > b.at
        group by
            o.rep,                                                                             -- :reps
            o.currency
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, 0, 0, count(*)
    from bucket b join unborn o on o.valid_from > b.at and (o.closed_at is null or o.closed_at > b.at)
    group by b.i
        , o.rep                                                                                -- :reps
)
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.total * case when a.currency = $target then 1 else r.rate end) as value,
    coalesce(sum(a.n) filter (where a.currency = $target or r.rate is not null), 0) as n,
    coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as x_missing_fx,
    sum(a.no_amount) as x_no_amount, sum(a.unborn) as x_no_open_date
from added a
left join rate r on r.i = a.i and r.currency = a.currency
group by a.i
    , a.rep                                                                                    -- :reps
