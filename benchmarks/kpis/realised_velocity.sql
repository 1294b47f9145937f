-- Bookings ÷ the mean time from opening to winning in days.
-- :include bucket
-- :include won
, cycle as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            null::uuid as rep,                                                                 -- :whole
            sum(extract(epoch from o.closed_at - o.opened_at)) filter (where o.closed_at >= o.opened_at) as seconds,
            count(*) filter (where o.closed_at >= o.opened_at) as n,
            count(*) - count(o.opened_at) as unopened, count(*) filter (where o.closed_at < o.opened_at) as negative
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
)
select k.i,
    k.rep,                                                                                     -- :reps
    coalesce(k.total, 0) * c.n * 86400 as numerator, c.seconds as denominator, k.n, k.missing_fx as x_missing_fx,
    k.no_amount as x_no_amount, k.undated as x_no_close_date,
    greatest(k.unborn, coalesce(c.unopened, 0) + k.unborn) as x_no_open_date, c.negative as x_negative_cycle
from booked k
left join cycle c on c.i = k.i
    and c.rep is not distinct from k.rep                                                       -- :reps
