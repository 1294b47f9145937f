-- Reps whose bookings are at least their quota ÷ reps who carry one.
-- :include bucket
-- :include attained
select i,
    rep,                                                                                       -- :reps
    count(*) filter (where state = 'carries' and total >= quota) as numerator,
    count(*) filter (where state = 'carries') as denominator, count(*) filter (where state = 'carries') as n,
    count(*) filter (where state = 'carries' and total >= quota * 0.7) as at_least_70,
    count(*) filter (where state = 'carries') as at_least_70_over,
    count(*) filter (where state = 'no_quota') as x_no_quota, count(*) filter (where state = 'assigned') as x_assigned,
    count(*) filter (where state = 'missing_fx') as x_missing_fx
from attained
group by i
    , rep                                                                                      -- :reps
