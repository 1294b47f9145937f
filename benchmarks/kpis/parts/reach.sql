, mine as materialized (                                                                       -- :manager
    select rep_id from rep_reach where tenant_id = $tenant and manager_id = $manager           -- :manager
)                                                                                              -- :manager
