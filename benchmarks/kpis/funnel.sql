-- How many stages deals reached in the bucket, and what became of them there. Beside it the median of the days that
-- those stood in one which have gone on.
-- :include bucket
-- :include step
select i,
    rep,                                                                                       -- :reps
    entered as value, entered as n, advanced, dropped, still_there, left_out, x_unknown_stages,
    (stays[(cardinality(stays) + 1) / 2] + stays[cardinality(stays) / 2 + 1]) / 2 as median_days,
    86400 as median_days_over
from (
    select i,
        rep,                                                                                   -- :reps
        coalesce(sum(skipped + stood::int) filter (where not unknown), 0) as entered,
        coalesce(sum(skipped + passed::int) filter (where not unknown), 0) as advanced,
        count(*) filter (where dropped and not unknown) as dropped,
        count(*) filter (where still_there and not unknown) as still_there,
        coalesce(sum(skipped) filter (where not unknown), 0) as left_out,
        sum(skipped + stood::int) filter (where unknown) as x_unknown_stages,
        array_agg(seconds order by seconds) filter (where passed and not unknown) as stays
    from step
    group by i
        , rep                                                                                  -- :reps
) s
