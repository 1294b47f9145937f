, owed as materialized (
    select o.i, o.rep,
        sum(o.total * case when o.currency = $target then 1 else r.rate end) as total,
        coalesce(sum(o.n) filter (where o.currency = $target or r.rate is not null), 0) as n,
        coalesce(sum(o.n) filter (where o.currency <> $target and r.rate is null), 0) as missing_fx,
        sum(o.assigned) as assigned
    from share o
    left join lateral (
        select rate from exchange_rates                                                        -- :now
        where deleted_at is null and                                                           -- :now
        select rate from exchange_rates_history                                                -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $target and from_currency = o.currency and on_day <= o.starts_on
        order by on_day desc
        limit 1
    ) r on o.currency <> $target
    group by o.i, o.rep
)
