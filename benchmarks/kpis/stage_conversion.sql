-- Of the stages that deals reached in the bucket, the share beyond which they have gone by now. Beside it the shares of
-- those that are open there, of those that were dropped there, and of those that never stood in it.
-- :include bucket
-- :include step
select i,
    rep,                                                                                       -- :reps
    sum(skipped + passed::int) filter (where not unknown) as numerator,
    sum(skipped + stood::int) filter (where not unknown) as denominator,
    coalesce(sum(skipped + stood::int) filter (where not unknown), 0) as n,
    count(*) filter (where still_there and not unknown) as open_share,
    sum(skipped + stood::int) filter (where not unknown) as open_share_over,
    count(*) filter (where dropped and not unknown) as dropped_share,
    sum(skipped + stood::int) filter (where not unknown) as dropped_share_over,
    sum(skipped) filter (where not unknown) as left_out_share,
    sum(skipped + stood::int) filter (where not unknown) as left_out_share_over,
    sum(skipped + stood::int) filter (where unknown) as x_unknown_stages
from step
group by i
    , rep                                                                                      -- :reps
