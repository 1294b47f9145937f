-- :include shared
, deal as not materialized (
    select o.*, coalesce(o.credited_owner_id, o.owner_id) as rep
    from opportunities o                                                                       -- :now
    where o.tenant_id = $tenant and o.deleted_at is null                                       -- :now
    from (select record_id as id, * from opportunities_history) o                              -- :past
    where o.tenant_id = $tenant and o.valid_from <= $asked and o.valid_to > $known             -- :past
        and o.recorded_at <= $known and o.superseded_at > $known                               -- :past
        and (o.owner_id in (select rep_id from mine)                                           -- :manager
            or o.id in (select opportunity_id from shared))                                    -- :manager
)
