, rates as materialized (
    select r.from_currency as currency, greatest(r.on_day, e.day) + d as day, r.rate
    from (
        select from_currency, on_day, rate,
            lead(on_day, 1, $last_day::date) over (partition by from_currency order by on_day) as until
        from exchange_rates                                                                    -- :now
        where deleted_at is null and                                                           -- :now
        from exchange_rates_history                                                            -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $target and on_day < $last_day::date
    ) r
    cross join (select (($year_before::timestamptz[])[1] at time zone $zone)::date as day) e
    cross join lateral generate_series(0, r.until - greatest(r.on_day, e.day) - 1) d
)
