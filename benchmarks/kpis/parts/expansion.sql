-- :include rates
-- :include deal
, sold as not materialized (
    select l.opportunity_id, l.amount, p.family
    from opportunity_line_items l                                                              -- :now
    join products p on p.tenant_id = $tenant and p.id = l.product_id                           -- :now
    from opportunity_line_items_history l                                                      -- :past :known
    join products_history p on p.tenant_id = $tenant and p.record_id = l.product_id            -- :past :known
        and p.valid_from <= $asked and p.valid_to > $asked                                     -- :past :known
        and p.superseded_at = 'infinity'                                                       -- :past
        and p.recorded_at <= $known and p.superseded_at > $known                               -- :known
    where l.tenant_id = $tenant and p.family is not null
        and l.valid_from <= $asked and l.valid_to > $asked                                     -- :past :known
        and l.superseded_at = 'infinity'                                                       -- :past
        and l.recorded_at <= $known and l.superseded_at > $known                               -- :known
)
, win as not materialized (
    select e.id, e.account_id, e.closed_at
    from opportunities e                                                                       -- :now
    from (select record_id as id, * from opportunities_history) e                              -- :past :known
    where e.tenant_id = $tenant and e.category = 'won' and e.account_id is not null
        and e.deleted_at is null                                                               -- :now
        and e.valid_from <= $asked and e.valid_to > $asked                                     -- :past :known
        and e.superseded_at = 'infinity'                                                       -- :past
        and e.recorded_at <= $known and e.superseded_at > $known                               -- :known
)
, added as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, case when o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
            sum(o.amount) as total, count(o.amount) as n, count(*) - count(o.amount) as no_amount,
            sum(s.fresh) as fresh, sum(s.again) as again, 0 as undated, 0 as unborn
        from deal o
        left join lateral (
            select sum(l.amount) filter (where not l.before) as fresh, sum(l.amount) filter (where l.before) as again
            from (
                select s.amount, exists (
                    select from win e join sold w on w.opportunity_id = e.id
                    where e.account_id = o.account_id and e.closed_at < o.closed_at and w.family = s.family
                ) as before
                from sold s
                where s.opportunity_id = o.id and s.amount is not null
                offset 0
            ) l
            where exists (select from win e where e.account_id = o.account_id and e.closed_at < o.closed_at)
        ) s on o.type is distinct from 'renewal' and o.amount is not null
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            o.currency, day
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, null, null, 0, 0, null, null, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, 0, 0, null, null, 0, count(*)                                        -- :past
    from bucket b join unborn o on o.valid_from > $asked and o.category = 'won'                -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
, expanded as (
    select a.*, case when a.currency = $target then 1 else r.rate end as rate
    from added a
    left join rates r on r.currency = a.currency and r.day = a.day
)
