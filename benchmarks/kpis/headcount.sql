-- Reps who work in a bucket's last instant; everybody sees the whole directory.
-- :include bucket
-- :include rep
select b.i,
    c.*
from bucket b
cross join lateral (
    select
        r.id as rep,                                                                           -- :reps
        count(*) filter (where not r.untold) as value, count(*) filter (where not r.untold) as n,
        count(*) filter (where r.untold) as x_no_hire_date
    from (
        select *, inferred and recorded_at > b.at and hired_on is null as untold from career
        where valid_from <= b.at and valid_to > b.at and (left_on is not null or status = 'active')
            and coalesce(hired_on <= b.last - 1, true) and coalesce(left_on >= b.last - 1, true)
    ) r
    group by r.id                                                                              -- :reps
) c
