-- :include version
, deal as not materialized (
    select o.*, coalesce(o.credited_owner_id, o.owner_id) as rep
    from opportunities o                                                                       -- :now
    from (select record_id as id, * from opportunities_history) o                              -- :past :known
    where o.tenant_id = $tenant
        and o.deleted_at is null                                                               -- :now
        and o.valid_from <= $asked and o.valid_to > $asked                                     -- :past :known
        and o.superseded_at = 'infinity'                                                       -- :past
        and o.recorded_at <= $known and o.superseded_at > $known                               -- :known
        and (o.owner_id in (select rep_id from mine)                                           -- :manager
            or o.id in (select opportunity_id from shared))                                    -- :manager
)
