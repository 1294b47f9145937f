-- :include reach
, kept as not materialized (
    select q.*, q.ends_on - q.starts_on as days
    from quotas q                                                                              -- :now
    from (select record_id as id, * from quotas_history) q                                     -- :past :known
    where q.tenant_id = $tenant and q.metric = 'bookings'
        and q.deleted_at is null                                                               -- :now
        and q.valid_from <= $asked and q.valid_to > $asked                                     -- :past :known
        and q.superseded_at = 'infinity'                                                       -- :past
        and q.recorded_at <= $known and q.superseded_at > $known                               -- :known
)
, change as not materialized (
    select v.* from quota_versions v where v.tenant_id = $tenant                               -- :now
    select v.* from quota_versions_history v where v.tenant_id = $tenant                       -- :past :known
        and v.valid_from <= $asked and v.valid_to > $asked                                     -- :past :known
        and v.superseded_at = 'infinity'                                                       -- :past
        and v.recorded_at <= $known and v.superseded_at > $known                               -- :known
)
, place as materialized (
    select record_id as rep_id, manager_id,
        ((valid_from - interval '1 microsecond') at time zone $zone)::date + 1 as since,
        ((valid_to - interval '1 microsecond') at time zone $zone)::date + 1 as until          -- :now :past
        (case when valid_to > $known then 'infinity' else valid_to - interval '1 microsecond' end -- :known
            at time zone $zone)::date + 1 as until                                             -- :known
    from reps_history
    where tenant_id = $tenant and manager_id is not null
        and superseded_at = 'infinity'                                                         -- :now :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
)
, line as (
    select p.manager_id as leader_id, greatest(q.starts_on, p.since) as since, least(q.ends_on, p.until) as until
    from kept q
    join place p on p.rep_id = q.rep_id and p.since < q.ends_on and p.until > q.starts_on
    where q.starts_on < $last_day::date + 372 and q.ends_on > $first_day::date - 372
    union
    select p.manager_id, greatest(l.since, p.since), least(l.until, p.until)
    from line l
    join place p on p.rep_id = l.leader_id and p.since < l.until and p.until > l.since
)
, led as materialized (
    select leader_id, range_agg(daterange(since, until)) as days from line group by leader_id
)
