-- Bookings ÷ the share of the quota's days that have begun ÷ quota; of a bucket that is over all have.
-- :include bucket
-- :include won
-- :include quota
select coalesce(k.i, q.i) as i,
    coalesce(k.rep, q.rep) as rep,                                                             -- :reps
    coalesce(k.total, 0) as numerator, q.total as denominator, coalesce(k.n, 0) as n,
    case when q.n + q.missing_fx > 0 then 1 end as elapsed,
    coalesce(k.missing_fx, 0) + coalesce(q.missing_fx, 0) as x_missing_fx, k.no_amount as x_no_amount,
    k.undated as x_no_close_date, k.unborn as x_no_open_date, q.assigned as x_assigned
from booked k
full join owed q on q.i = k.i
    and q.rep = k.rep                                                                          -- :reps
