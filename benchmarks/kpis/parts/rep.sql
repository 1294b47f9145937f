, career as not materialized (
    select r.*, r.record_id as id from reps_history r
    where r.tenant_id = $tenant
        and r.superseded_at = 'infinity'                                                       -- :now :past
        and r.recorded_at <= $known and r.superseded_at > $known                               -- :known
)
