-- The amounts of won deals by the moment of their close, each at the rate of its day.
-- :include bucket
-- :include won
select i,
    rep,                                                                                       -- :reps
    total as value, n, missing_fx as x_missing_fx, no_amount as x_no_amount, undated as x_no_close_date,
    unborn as x_no_open_date
from booked
