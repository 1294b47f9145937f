-- The amounts of the lines of product families that customers had not bought before ÷ bookings.
-- :include bucket
-- :include expansion
select i,
    rep,                                                                                       -- :reps
    coalesce(sum(fresh * rate), 0) as numerator, sum(total * rate) as denominator,
    coalesce(sum(n) filter (where rate is not null), 0) as n,
    coalesce(sum(n) filter (where rate is null), 0) as x_missing_fx,
    sum(no_amount) as x_no_amount, sum(undated) as x_no_close_date, sum(unborn) as x_no_open_date
from expanded
group by i
    , rep                                                                                      -- :reps
