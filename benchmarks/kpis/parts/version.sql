-- :include shared
, version as not materialized (
    select o.*, coalesce(o.credited_owner_id, o.owner_id) as rep
    from (select record_id as id, * from opportunities_history) o
    where o.tenant_id = $tenant
        and o.superseded_at = 'infinity'                                                       -- :now :past
        and o.recorded_at <= $known and o.superseded_at > $known                               -- :known
        and (o.owner_id in (select rep_id from mine)                                           -- :manager
            or o.id in (select opportunity_id from shared))                                    -- :manager
)
-- :include unborn
