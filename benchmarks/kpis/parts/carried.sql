-- :include span
, carried as materialized (
    select q.rep_id as rep, lower(d.days) as since, upper(d.days) as until
    from (
        select rep_id, range_agg(daterange(starts_on, ends_on)) as days
        from quotas                                                                            -- :now
        from quotas_history                                                                    -- :past :known
        where tenant_id = $tenant and rep_id is not null and starts_on < $last_day and ends_on > $first_day
            and deleted_at is null                                                             -- :now
            and valid_from <= $asked and valid_to > $asked                                     -- :past :known
            and superseded_at = 'infinity'                                                     -- :past
            and recorded_at <= $known and superseded_at > $known                               -- :known
        group by rep_id
    ) q
    cross join lateral unnest(q.days) d (days)
)
, carrying as materialized (
    select b.i, least(b.last, ($asked::timestamptz at time zone $zone)::date + 1) - b.first as of, c.*
    from bucket b
    cross join lateral (
        select
            s.rep,                                                                             -- :reps
            null::uuid as rep,                                                                 -- :whole
            sum(greatest(least(s.until, q.until, b.last) - greatest(s.since, s.told, q.since, b.first), 0)) as days,
            count(*) filter (where least(s.until, q.until, s.told, b.last) > greatest(s.since, q.since, b.first)
                and s.told is not null) as untold
        from carried q
        join span s on s.rep = q.rep
        where q.since < b.last and q.until > b.first and s.since < b.last and s.until > b.first
        group by s.rep                                                                         -- :reps
    ) c
)
