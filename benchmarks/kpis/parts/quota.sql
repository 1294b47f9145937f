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
, piece as materialized (
    select q.rep_id as rep, q.currency, q.starts_on, q.days, s.amount, lower(d.days) as from_day,
        upper(d.days) as to_day, q.rep_id is null or l.leader_id is not null as assigned
    from (
        select k.*, range_agg(daterange(k.starts_on, k.ends_on)) over (
            partition by coalesce(k.rep_id, k.team_id, k.territory_id) order by k.days
            range between unbounded preceding and 1 preceding
        ) as finer
        from kept k
        where k.starts_on < $last_day::date and k.ends_on > $first_day::date
    ) q
    cross join lateral (
        select c.day, coalesce(lead(c.day) over (order by c.day, c.later), q.ends_on) as until, c.amount
        from (
            select q.starts_on as day, q.amount, 0 as later
            union all
            select v.effective_from, v.amount, 1 from change v where v.quota_id = q.id
        ) c
    ) s
    cross join lateral unnest(
        datemultirange(daterange(s.day, s.until)) - coalesce(q.finer, '{}'::datemultirange)
    ) d (days)
    left join led l on l.leader_id = q.rep_id and l.days && daterange(q.starts_on, q.ends_on)
    where (q.rep_id in (select rep_id from mine)                                               -- :manager
        or q.team_id in (select team_id from reps where tenant_id = $tenant                    -- :manager
            and id in (select rep_id from mine))                                               -- :manager
        or q.territory_id in (select territory_id from reps where tenant_id = $tenant          -- :manager
            and id in (select rep_id from mine)))                                              -- :manager
)
, owed as materialized (
    select o.i, o.rep,
        sum(o.total * case when o.currency = $target then 1 else r.rate end) as total,
        coalesce(sum(o.n) filter (where o.currency = $target or r.rate is not null), 0) as n,
        coalesce(sum(o.n) filter (where o.currency <> $target and r.rate is null), 0) as missing_fx,
        sum(o.assigned) as assigned
    from (
        select b.i,
            p.rep,                                                                             -- :reps
            null::uuid as rep,                                                                 -- :whole
            p.currency, p.starts_on,
            sum(round(p.amount * d.days, 40) / p.days) filter (where not p.assigned) as total,
            count(*) filter (where not p.assigned) as n, count(*) filter (where p.assigned) as assigned
        from bucket b
        join piece p on p.from_day < b.last and p.to_day > b.first
        cross join lateral (select least(p.to_day, b.last) - greatest(p.from_day, b.first) as days) d
        where d.days > 0
        group by b.i,
            p.rep,                                                                             -- :reps
            p.currency, p.starts_on
    ) o
    left join lateral (
        select rate from exchange_rates                                                        -- :now
        where deleted_at is null and                                                           -- :now
        select rate from exchange_rates_history                                                -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $target and from_currency = o.currency and on_day <= o.starts_on
        order by on_day desc
        limit 1
    ) r on o.currency <> $target
    group by o.i, o.rep
)
