-- Reps who carry a quota, by how much of it they booked.
-- :include bucket
-- :include attained
select i,
    rep,                                                                                       -- :reps
    count(*) filter (where state = 'carries') as value, count(*) filter (where state = 'carries') as n,
    count(*) filter (where state = 'carries' and total < quota * 0.5) as below_50,
    count(*) filter (where state = 'carries' and total >= quota * 0.5 and total < quota * 0.7) as from_50_to_70,
    count(*) filter (where state = 'carries' and total >= quota * 0.7 and total < quota) as from_70_to_100,
    count(*) filter (where state = 'carries' and total >= quota and total < quota * 1.2) as from_100_to_120,
    count(*) filter (where state = 'carries' and total >= quota * 1.2) as above_120,
    count(*) filter (where state = 'no_quota') as x_no_quota, count(*) filter (where state = 'assigned') as x_assigned,
    count(*) filter (where state = 'missing_fx') as x_missing_fx
from attained
group by i
    , rep                                                                                      -- :reps
