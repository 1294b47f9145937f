-- Reps whose last day is in the bucket ÷ (the days that reps were at work ÷ 365); everybody sees the whole directory.
-- :include bucket
-- :include worked for all
, gone as (
    select b.i,
        r.id as rep,                                                                           -- :now :reps
        r.record_id as rep,                                                                    -- :past :known :reps
        count(*) as n
    from bucket b
    join reps r on r.left_on >= b.first and r.left_on < b.last                                 -- :now
    join reps_history r on r.left_on >= b.first and r.left_on < b.last                         -- :past :known
    where r.tenant_id = $tenant and r.left_on <= ($asked::timestamptz at time zone $zone)::date
        and r.deleted_at is null                                                               -- :now
        and r.valid_from <= $asked and r.valid_to > $asked                                     -- :past :known
        and r.superseded_at = 'infinity'                                                       -- :past
        and r.recorded_at <= $known and r.superseded_at > $known                               -- :known
    group by b.i
        , r.id                                                                                 -- :now :reps
        , r.record_id                                                                          -- :past :known :reps
)
select coalesce(w.i, g.i) as i,
    coalesce(w.rep, g.rep) as rep,                                                             -- :reps
    coalesce(g.n, 0) * 365 as numerator, w.days as denominator, coalesce(g.n, 0) as n, coalesce(g.n, 0) as leavers,
    coalesce(g.n, 0) * w.of as share, w.days as share_over, coalesce(w.days, 0) as average_headcount,
    coalesce(w.of, 1) as average_headcount_over, w.untold as x_no_hire_date
from worked w
full join gone g on g.i = w.i
    and g.rep = w.rep                                                                          -- :reps
