-- The amounts of won deals over their terms, made a year's: x 12 / months, each at the rate of its day.
-- :include bucket
-- :include rates
-- :include deal
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, case when o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
            o.term_months as term, sum(o.amount) as total, count(o.amount) as n,
            count(*) - count(o.amount) as no_amount, 0 as undated, 0 as unborn
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            o.currency, day, term
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, null, null, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, null, 0, 0, 0, count(*)                                              -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
select a.i,
    a.rep,                                                                                     -- :reps
    sum(round(a.total * 12 * case when a.currency = $target then 1 else r.rate end, 40) / a.term) as value,
    coalesce(sum(a.n) filter (where a.term is not null and (a.currency = $target or r.rate is not null)), 0) as n,
    coalesce(sum(a.n) filter (where a.term is not null and a.currency <> $target and r.rate is null), 0)
        as x_missing_fx,
    coalesce(sum(a.n) filter (where a.term is null), 0) as x_no_term, sum(a.no_amount) as x_no_amount,
    sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from added a
left join rates r on r.currency = a.currency and r.day = a.day
group by a.i
    , a.rep                                                                                    -- :reps
