-- What of the lines of won deals is left when what their products cost at the close is paid ÷ what they brought.
-- :include bucket
-- :include rates
-- :include deal
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, coalesce(p.currency, t.home_currency) as cost_currency,
            case when o.currency <> $target or coalesce(p.currency, t.home_currency) <> $target
                then (o.closed_at at time zone $zone)::date end as day,
            sum(l.amount) filter (where p.cost is not null) as net,
            sum(p.cost * l.quantity) filter (where l.amount is not null) as cost,
            count(*) filter (where l.amount is not null and p.cost is not null) as n,
            count(*) filter (where l.id is not null and l.amount is null) as no_amount,
            count(*) filter (where l.amount is not null and p.cost is null) as no_cost,
            count(*) filter (where l.id is null) as no_lines, 0 as undated, 0 as unborn
        from deal o
        left join opportunity_line_items l on l.tenant_id = $tenant and l.opportunity_id = o.id -- :now
        left join (select record_id as id, * from opportunity_line_items_history) l            -- :past :known
            on l.tenant_id = $tenant and l.opportunity_id = o.id                               -- :past :known
            and l.valid_from <= $asked and l.valid_to > $asked                                 -- :past :known
            and l.superseded_at = 'infinity'                                                   -- :past
            and l.recorded_at <= $known and l.superseded_at > $known                           -- :known
        left join products_history p on p.tenant_id = $tenant and p.record_id = l.product_id
            and p.valid_from <= o.closed_at and p.valid_to > o.closed_at
            and p.superseded_at = 'infinity'                                                   -- :now :past
            and p.recorded_at <= $known and p.superseded_at > $known                           -- :known
        cross join (select home_currency from control.tenants where id = $tenant) t
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            o.currency, cost_currency, day
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, null, null, null, 0, 0, 0, 0, count(*), 0
    from deal o
    left join opportunity_line_items l on l.tenant_id = $tenant and l.opportunity_id = o.id    -- :now
    left join opportunity_line_items_history l on l.tenant_id = $tenant and l.opportunity_id = o.id -- :past :known
        and l.valid_from <= $asked and l.valid_to > $asked                                     -- :past :known
        and l.superseded_at = 'infinity'                                                       -- :past
        and l.recorded_at <= $known and l.superseded_at > $known                               -- :known
    cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, null, null, 0, 0, 0, 0, 0, count(*)                                  -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
, priced as (
    select a.*, case when a.currency = $target then 1 else r.rate end as rate,
        case when a.cost_currency = $target then 1 else k.rate end as cost_rate
    from added a
    left join rates r on r.currency = a.currency and r.day = a.day
    left join rates k on k.currency = a.cost_currency and k.day = a.day
)
select i,
    rep,                                                                                       -- :reps
    sum(net * rate - cost * cost_rate) as numerator,
    sum(net * rate) filter (where cost_rate is not null) as denominator,
    coalesce(sum(n) filter (where rate is not null and cost_rate is not null), 0) as n,
    coalesce(sum(n) filter (where n > 0 and (rate is null or cost_rate is null)), 0) as x_missing_fx,
    sum(no_amount) as x_no_amount, sum(no_cost) as x_no_cost, sum(no_lines) as x_no_lines,
    sum(undated) as x_no_close_date, sum(unborn) as x_no_open_date
from priced
group by i
    , rep                                                                                      -- :reps
