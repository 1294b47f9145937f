, unborn as not materialized (
    select o.* from version o
    where o.opened_at is null and o.valid_from = least(
        (select min(e.valid_from) from opportunities_history e                                 -- :known
        where e.tenant_id = $tenant and e.record_id = o.id and e.superseded_at < 'infinity'    -- :known
            and e.recorded_at <= $known and e.superseded_at > $known),                         -- :known
        (select min(e.valid_from) from opportunities_history e
        where e.tenant_id = $tenant and e.record_id = o.id and e.superseded_at = 'infinity'
            and e.recorded_at <= $known                                                        -- :known
        )
    )
)
