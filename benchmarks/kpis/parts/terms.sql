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
