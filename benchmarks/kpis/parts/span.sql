-- :include reach
, span as materialized (
    select h.record_id as rep,
        greatest(((h.valid_from - interval '1 microsecond') at time zone $zone)::date + 1, h.hired_on) as since,
        least(((h.valid_to - interval '1 microsecond') at time zone $zone)::date + 1, h.left_on + 1, -- :now :past
        least((case when h.valid_to > $known then 'infinity' else h.valid_to - interval '1 microsecond' end -- :known
            at time zone $zone)::date + 1, h.left_on + 1,                                      -- :known
            ($asked::timestamptz at time zone $zone)::date + 1) as until,
        case when h.inferred and h.hired_on is null
            then ((h.recorded_at - interval '1 microsecond') at time zone $zone)::date + 1 end as told
    from reps_history h
    join reps r on r.tenant_id = $tenant and r.id = h.record_id and r.deleted_at is null       -- :now
    join reps_history r on r.tenant_id = $tenant and r.record_id = h.record_id                 -- :past :known
        and r.valid_from <= $asked and r.valid_to > $asked                                     -- :past :known
        and r.superseded_at = 'infinity'                                                       -- :past
        and r.recorded_at <= $known and r.superseded_at > $known                               -- :known
    where h.tenant_id = $tenant
        and h.record_id in (select rep_id from mine)                                           -- :manager
        and (h.left_on is not null or h.status = 'active')
        and h.superseded_at = 'infinity'                                                       -- :now :past
        and h.recorded_at <= $known and h.superseded_at > $known                               -- :known
)
