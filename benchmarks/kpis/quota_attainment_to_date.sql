-- Bookings ÷ the quota of the days that have begun, which in a bucket that is over is all of it.
-- :include bucket
-- :include won
-- :include quota
select coalesce(k.i, q.i) as i,
    coalesce(k.rep, q.rep) as rep,                                                             -- :reps
    coalesce(k.total, 0) as numerator, q.total as denominator, coalesce(q.total, 0) as full_quota, coalesce(k.n, 0) as n,
    coalesce(k.missing_fx, 0) + coalesce(q.missing_fx, 0) as x_missing_fx, k.no_amount as x_no_amount,
    k.undated as x_no_close_date, k.unborn as x_no_open_date, q.assigned as x_assigned
from booked k
full join owed q on q.i = k.i
    and q.rep = k.rep                                                                          -- :reps
