-- What is expected of the reps, day by day: the version that holds on the day, and of two quotas the shorter one.
-- :include bucket
-- :include quota
select i,
    rep,                                                                                       -- :reps
    total as value, n, missing_fx as x_missing_fx, assigned as x_assigned
from owed
