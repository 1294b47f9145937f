-- :include reach
, version as not materialized (
    select o.*, o.owner_id as rep
    from (select record_id as id, * from leads_history) o
    where o.tenant_id = $tenant
        and o.superseded_at = 'infinity'                                                       -- :now :past
        and o.recorded_at <= $known and o.superseded_at > $known                               -- :known
        and (o.owner_id in (select rep_id from mine) or o.owner_id is null)                    -- :manager
)
, lead as not materialized (
    select o.*, o.owner_id as rep from leads o                                                 -- :now
    where o.tenant_id = $tenant and o.deleted_at is null                                       -- :now
        and (o.owner_id in (select rep_id from mine) or o.owner_id is null)                    -- :now :manager
    select o.* from version o where o.valid_from <= $asked and o.valid_to > $asked             -- :past :known
)
, unborn as not materialized (
    select o.* from version o
    where o.received_at is null and o.valid_from = least(
        (select min(e.valid_from) from leads_history e                                         -- :known
        where e.tenant_id = $tenant and e.record_id = o.id and e.superseded_at < 'infinity'    -- :known
            and e.recorded_at <= $known and e.superseded_at > $known),                         -- :known
        (select min(e.valid_from) from leads_history e
        where e.tenant_id = $tenant and e.record_id = o.id and e.superseded_at = 'infinity'
            and e.recorded_at <= $known                                                        -- :known
        )
    )
)
