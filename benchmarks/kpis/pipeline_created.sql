-- The first amounts that the deals opened in a bucket were given, each at the rate of the day of its opening.
-- :include bucket
-- :include rates
-- :include deal
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            f.currency as currency, case when f.currency <> $target then (o.opened_at at time zone $zone)::date end as day,
            sum(f.amount) as total, count(f.amount) as n, count(*) - count(f.amount) as no_amount, 0 as undated,
            0 as unborn
        from deal o
        left join lateral (
            select e.amount, e.currency from (
                select valid_from, amount, currency from opportunities_history
                where tenant_id = $tenant and record_id = o.id and superseded_at = 'infinity'
                    and amount is not null and valid_from <= $asked
                    and recorded_at <= $known                                                  -- :known
                union all                                                                      -- :known
                select valid_from, amount, currency from opportunities_history                 -- :known
                where tenant_id = $tenant and record_id = o.id and superseded_at < 'infinity'  -- :known
                    and amount is not null and valid_from <= $asked                            -- :known
                    and recorded_at <= $known and superseded_at > $known                       -- :known
            ) e
            order by e.valid_from
            limit 1
        ) f on true
        where true and o.opened_at >= b.starts and o.opened_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            f.currency, day
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, null, 0, 0, count(*), 0
    from deal o cross join bucket b
    where o.opened_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, 0, 0, 0, count(*)                                                    -- :past
    from bucket b join unborn o on o.valid_from > $asked and true                              -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.total * case when a.currency = $target then 1 else r.rate end) as value,
    coalesce(sum(a.n) filter (where a.currency = $target or r.rate is not null), 0) as n,
    coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as x_missing_fx,
    sum(a.no_amount) as x_no_amount, sum(a.undated + a.unborn) as x_no_open_date
from added a
left join rates r on r.currency = a.currency and r.day = a.day
group by a.i
    , a.rep                                                                                    -- :reps
