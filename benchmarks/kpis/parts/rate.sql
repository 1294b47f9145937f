, rate as materialized (
    select b.i, r.from_currency as currency, r.rate
    from bucket b
    cross join lateral (
        select distinct on (from_currency) from_currency, rate
        from exchange_rates                                                                    -- :now
        where deleted_at is null and                                                           -- :now
        from exchange_rates_history                                                            -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $target and on_day < b.last
        order by from_currency, on_day desc
    ) r
)
