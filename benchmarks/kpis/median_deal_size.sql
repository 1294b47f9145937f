-- The amount that half of the deals won did not reach, each converted at the rate of its day; and the mean.
-- :include bucket
-- :include rates
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.median) as value, sum(a.n) as n, sum(a.total) as mean, sum(a.n) as mean_over,
    sum(a.unpriced) as x_missing_fx, sum(a.no_amount) as x_no_amount, sum(a.zero) as x_zero_amount,
    sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from (
    select b.i,
        c.rep,                                                                                 -- :reps
        c.n, c.total, (c.sizes[(c.n + 1) / 2] + c.sizes[c.n / 2 + 1]) / 2 as median,
        c.unpriced, c.no_amount, c.zero, 0 as undated, 0 as unborn
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(o.worth) filter (where o.amount <> 0)::int as n,
            sum(o.worth) filter (where o.amount <> 0) as total,
            array_agg(o.worth order by o.worth) filter (where o.amount <> 0 and o.worth is not null) as sizes,
            count(*) filter (where o.amount <> 0 and o.worth is null) as unpriced,
            count(*) filter (where o.amount = 0) as zero, count(*) - count(o.amount) as no_amount
        from (
            select d.*, d.amount * case when d.currency = $target then 1 else r.rate end as worth
            from deal d
            left join rates r on d.currency <> $target and r.currency = d.currency
                and r.day = (d.closed_at at time zone $zone)::date
            where d.category = 'won' and d.closed_at >= b.starts and d.closed_at < b.ends
        ) o
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, null, null, 0, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, null, null, 0, 0, 0, 0, count(*)                                                    -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
