-- The amounts of the open deals whose own forecast category, or else their stage's, is best_case; beside it those of the
-- surer ones with them.
-- :include bucket
-- :include rate
-- :include version
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, sum(o.amount) filter (where f.category = 'best_case') as total,
            count(o.amount) filter (where f.category = 'best_case') as n,
            sum(o.amount) filter (where f.category in ('best_case', 'most_likely', 'commit')) as cumulative,
            count(*) filter (where o.amount is null and coalesce(f.category, 'best_case') = 'best_case') as no_amount,
            count(o.amount) filter (where f.category is null) as uncategorised, 0 as unborn
        from version o
        left join stages_history s on s.tenant_id = $tenant and s.record_id = o.stage_id
            and s.valid_from <= b.at and s.valid_to > b.at
            and s.superseded_at = 'infinity'                                                   -- :now :past
            and s.recorded_at <= $known and s.superseded_at > $known                           -- :known
        cross join lateral (select coalesce(o.forecast_category, s.forecast_category) as category) f
        where o.category = 'open' and o.valid_from <= b.at and o.valid_to > b.at
        group by
            o.rep,                                                                             -- :reps
            o.currency
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, 0, null, 0, 0, count(*)
    from bucket b join unborn o on o.valid_from > b.at and (o.closed_at is null or o.closed_at > b.at)
        left join stages_history s on s.tenant_id = $tenant and s.record_id = o.stage_id
            and s.valid_from <= b.at and s.valid_to > b.at
            and s.superseded_at = 'infinity'                                                   -- :now :past
            and s.recorded_at <= $known and s.superseded_at > $known                           -- :known
    where coalesce(o.forecast_category, s.forecast_category, 'best_case') = 'best_case'
    group by b.i
        , o.rep                                                                                -- :reps
)
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.total * case when a.currency = $target then 1 else r.rate end) as value,
    sum(a.cumulative * case when a.currency = $target then 1 else r.rate end) as cumulative,
    coalesce(sum(a.n) filter (where a.currency = $target or r.rate is not null), 0) as n,
    coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as x_missing_fx,
    sum(a.no_amount) as x_no_amount, sum(a.uncategorised) as x_no_forecast_category,
    sum(a.unborn) as x_no_open_date
from added a
left join rate r on r.i = a.i and r.currency = a.currency
group by a.i
    , a.rep                                                                                    -- :reps
