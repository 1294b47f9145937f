-- :include reach
, shared as materialized (                                                                     -- :manager
    select opportunity_id from opportunity_splits                                              -- :manager
    where tenant_id = $tenant and rep_id in (select rep_id from mine)                          -- :manager
    union                                                                                      -- :manager
    select opportunity_id from opportunity_team                                                -- :manager
    where tenant_id = $tenant and rep_id in (select rep_id from mine)                          -- :manager
)                                                                                              -- :manager
