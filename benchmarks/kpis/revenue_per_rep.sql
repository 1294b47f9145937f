-- Bookings ÷ the mean of how many reps were at work and carried a quota as the days of the bucket began.
-- :include bucket
-- :include rates
-- :include deal
-- :include carried
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency as currency, case when o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
            sum(o.amount) as total, count(o.amount) as n, count(*) - count(o.amount) as no_amount, 0 as undated,
            0 as unborn
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
            and o.rep in (select rep_id from mine)                                             -- :manager
        group by
            o.rep,                                                                             -- :reps
            o.currency, day
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, null, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
        and o.rep in (select rep_id from mine)                                                 -- :manager
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, 0, 0, 0, count(*)                                                    -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked -- :past
        and o.rep in (select rep_id from mine)                                                 -- :past :manager
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
, booked as (
    select a.i,
        a.rep,                                                                                 -- :reps
        sum(a.total * case when a.currency = $target then 1 else r.rate end) as total,
        coalesce(sum(a.n) filter (where a.currency = $target or r.rate is not null), 0) as n,
        coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as missing_fx,
        sum(a.no_amount) as no_amount, sum(a.undated) as undated, sum(a.unborn) as unborn
    from added a
    left join rates r on r.currency = a.currency and r.day = a.day
    group by a.i
        , a.rep                                                                                -- :reps
)
select coalesce(k.i, c.i) as i,
    coalesce(k.rep, c.rep) as rep,                                                             -- :reps
    coalesce(k.total, 0) * c.of as numerator, c.days as denominator, coalesce(k.n, 0) as n,
    k.missing_fx as x_missing_fx, k.no_amount as x_no_amount, k.undated as x_no_close_date,
    k.unborn as x_no_open_date, c.untold as x_no_hire_date
from booked k
full join carrying c on c.i = k.i
    and c.rep = k.rep                                                                          -- :reps
