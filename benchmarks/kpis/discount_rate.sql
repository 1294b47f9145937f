-- What the lines of won deals stayed below their list prices ÷ these; and the mean of their own rates.
-- :include bucket
-- :include rates
-- :include deal
, product as not materialized (
    select p.* from products p where p.tenant_id = $tenant                                     -- :now
    select record_id as id, p.* from products_history p where p.tenant_id = $tenant            -- :past :known
        and p.valid_from <= $asked and p.valid_to > $asked                                     -- :past :known
        and p.superseded_at = 'infinity'                                                       -- :past
        and p.recorded_at <= $known and p.superseded_at > $known                               -- :known
)
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, case when o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
            sum(l.list_price * l.quantity - l.amount) filter (where l.amount is not null and l.list_price <> 0) as discount, sum(l.list_price * l.quantity) filter (where l.amount is not null and l.list_price <> 0) as list,
            sum(round(l.list_price * l.quantity - l.amount, 40) / nullif(l.list_price * l.quantity, 0)) filter (where l.amount is not null and l.list_price <> 0) as each,
            count(*) filter (where l.amount is not null and l.list_price <> 0) as n,
            count(*) filter (where l.id is not null and l.amount is null) as no_amount,
            count(*) filter (where l.amount is not null and coalesce(l.list_price, 0) = 0) as unlisted,
            count(*) filter (where l.id is null) as no_lines, 0 as undated, 0 as unborn
        from deal o
        left join opportunity_line_items l on l.tenant_id = $tenant and l.opportunity_id = o.id -- :now
        left join (select record_id as id, * from opportunity_line_items_history) l            -- :past :known
            on l.tenant_id = $tenant and l.opportunity_id = o.id                               -- :past :known
            and l.valid_from <= $asked and l.valid_to > $asked                                 -- :past :known
            and l.superseded_at = 'infinity'                                                   -- :past
            and l.recorded_at <= $known and l.superseded_at > $known                           -- :known
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            o.currency, day
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

select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.discount * case when a.currency = $target then 1 else r.rate end) as numerator,
    sum(a.list * case when a.currency = $target then 1 else r.rate end) as denominator,
    coalesce(sum(a.n) filter (where a.currency = $target or r.rate is not null), 0) as n,
    coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as x_missing_fx,
    sum(a.no_amount) as x_no_amount, sum(a.unlisted) as x_no_list_price, sum(a.no_lines) as x_no_lines,
    sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from added a
left join rates r on r.currency = a.currency and r.day = a.day
group by a.i
    , a.rep                                                                                    -- :reps
