-- The month, that of the hire the first, by which half of the new reps had a month's full quota (Kaplan and Meier).
-- :include bucket
-- :include reach
, rookie as materialized (
    select r.id as rep, b.i, r.hired_on, r.left_on, r.status,
        ($asked::timestamptz at time zone $zone)::date as today
    from reps r                                                                                -- :now
    from (select record_id as id, * from reps_history) r                                       -- :past :known
    left join bucket b on b.first <= r.hired_on and b.last > r.hired_on
    where r.tenant_id = $tenant and (r.hired_on is null or b.i is not null)
        and r.deleted_at is null                                                               -- :now
        and r.valid_from <= $asked and r.valid_to > $asked                                     -- :past :known
        and r.superseded_at = 'infinity'                                                       -- :past
        and r.recorded_at <= $known and r.superseded_at > $known                               -- :known
        and r.id in (select rep_id from mine)                                                  -- :manager
)
, month as materialized (
    select r.rep, m.number, m.first::date as first, (m.first + interval '1 month')::date as last
    from rookie r
    cross join lateral generate_series(
        date_trunc('month', r.hired_on::timestamp), least(r.today, r.left_on)::timestamp, interval '1 month'
    ) with ordinality m (first, number)
    where r.hired_on is not null
)
, kept as materialized (
    select q.id, q.rep_id, q.starts_on, q.ends_on, q.amount, q.currency
    from quotas q                                                                              -- :now
    from (select record_id as id, * from quotas_history) q                                     -- :past :known
    where q.tenant_id = $tenant and q.metric = 'bookings' and q.rep_id is not null and q.ends_on > $first_day
        and q.deleted_at is null                                                               -- :now
        and q.valid_from <= $asked and q.valid_to > $asked                                     -- :past :known
        and q.superseded_at = 'infinity'                                                       -- :past
        and q.recorded_at <= $known and q.superseded_at > $known                               -- :known
)
, place as materialized (
    select record_id as rep, manager_id,
        ((valid_from - interval '1 microsecond') at time zone $zone)::date + 1 as since,
        ((valid_to - interval '1 microsecond') at time zone $zone)::date + 1 as until          -- :now :past
        (case when valid_to > $known then 'infinity' else valid_to - interval '1 microsecond' end -- :known
            at time zone $zone)::date + 1 as until                                             -- :known
    from reps_history
    where tenant_id = $tenant and manager_id is not null
        and superseded_at = 'infinity'                                                         -- :now :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
)
, below as (
    select r.rep as leader, p.rep, p.since, p.until
    from rookie r join place p on p.manager_id = r.rep
    where r.hired_on is not null
    union
    select b.leader, p.rep, greatest(b.since, p.since), least(b.until, p.until)
    from below b join place p on p.manager_id = b.rep and p.since < b.until and p.until > b.since
)
, led as materialized (
    select b.leader, range_agg(daterange(greatest(q.starts_on, b.since), least(q.ends_on, b.until))) as days
    from below b join kept q on q.rep_id = b.rep and q.starts_on < b.until and q.ends_on > b.since
    group by b.leader
)
, change as not materialized (
    select v.* from quota_versions v where v.tenant_id = $tenant                               -- :now
    select v.* from quota_versions_history v where v.tenant_id = $tenant                       -- :past :known
        and v.valid_from <= $asked and v.valid_to > $asked                                     -- :past :known
        and v.superseded_at = 'infinity'                                                       -- :past
        and v.recorded_at <= $known and v.superseded_at > $known                               -- :known
)
, piece as materialized (
    select q.rep_id as rep, q.ends_on - q.starts_on as days, lower(d.days) as from_day, upper(d.days) as to_day,
        s.amount * case when q.currency = $home then 1 else x.rate end as worth
    from (
        select k.*, range_agg(daterange(k.starts_on, k.ends_on)) over (
            partition by k.rep_id order by k.ends_on - k.starts_on range between unbounded preceding and 1 preceding
        ) as finer
        from kept k
        where k.rep_id in (select rep from rookie where hired_on is not null)
    ) q
    left join led l on l.leader = q.rep_id and l.days && daterange(q.starts_on, q.ends_on)
    left join lateral (
        select rate from exchange_rates                                                        -- :now
        where deleted_at is null and                                                           -- :now
        select rate from exchange_rates_history                                                -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $home and from_currency = q.currency and on_day <= q.starts_on
        order by on_day desc
        limit 1
    ) x on q.currency <> $home
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
    where l.leader is null
)
, expected as (
    select m.rep, m.number,
        sum(round(p.worth * (least(p.to_day, m.last) - greatest(p.from_day, m.first)), 40) / p.days) as amount,
        bool_or(p.worth is null) as unpriced
    from month m join piece p on p.rep = m.rep and p.from_day < m.last and p.to_day > m.first
    group by m.rep, m.number
)
, booked as materialized (
    select w.rep, w.month, sum(w.total * case when w.currency = $home then 1 else x.rate end) as amount,
        bool_or(w.currency <> $home and x.rate is null) as unpriced
    from (
        select coalesce(o.credited_owner_id, o.owner_id) as rep, o.currency, c.month,
            case when o.currency <> $home then c.at::date end as day, sum(o.amount) as total
        from opportunities o                                                                   -- :now
        from opportunities_history o                                                           -- :past :known
        cross join lateral (select o.closed_at at time zone $zone as at) z
        cross join lateral (select z.at, date_trunc('month', z.at)::date as month) c
        where o.tenant_id = $tenant and o.category = 'won' and o.amount is not null and o.closed_at <= $asked
            and o.closed_at >= ($first_day::date)::timestamp at time zone $zone
            and coalesce(o.credited_owner_id, o.owner_id) in (select rep from rookie where hired_on is not null)
            and o.deleted_at is null                                                           -- :now
            and o.valid_from <= $asked and o.valid_to > $asked                                 -- :past :known
            and o.superseded_at = 'infinity'                                                   -- :past
            and o.recorded_at <= $known and o.superseded_at > $known                           -- :known
        group by rep, o.currency, c.month, day
    ) w
    left join lateral (
        select rate from exchange_rates                                                        -- :now
        where deleted_at is null and                                                           -- :now
        select rate from exchange_rates_history                                                -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $home and from_currency = w.currency and on_day <= w.day
        order by on_day desc
        limit 1
    ) x on w.currency <> $home
    group by w.rep, w.month
)
, watched as materialized (
    select b.i,
        r.rep,                                                                                 -- :reps
        null::uuid as rep,                                                                     -- :whole
        case when r.hired_on is null then 'no_hire_date' when t.carries is not true then 'no_quota'
            when t.unpriced then 'missing_fx' when r.status <> 'active' and r.left_on is null then 'no_last_day'
        end as reason,
        t.there is not null as ramped,
        coalesce(t.there, greatest(
            (extract(year from e.until) - extract(year from r.hired_on)) * 12
                + extract(month from e.until) - extract(month from r.hired_on), 0
        )) as months
    from rookie r
    join bucket b on b.i = r.i or r.hired_on is null
    cross join lateral (select least(r.today, r.left_on + 1) as until) e
    left join (
        select m.rep, min(m.number) filter (where q.amount > 0 and coalesce(k.amount, 0) + 1e-25 >= q.amount) as there,
            bool_or(q.rep is not null) as carries, bool_or(q.unpriced or k.unpriced) as unpriced
        from month m
        left join expected q on q.rep = m.rep and q.number = m.number
        left join booked k on k.rep = m.rep and k.month = m.first
        group by m.rep
    ) t on t.rep = r.rep
)
, risen as materialized (
    select i, rep, months, ramped, of, row_number() over (partition by i, rep order by months) as k
    from (
        select i, rep, months, count(*) filter (where ramped) as ramped,
            sum(count(*)) over (partition by i, rep order by months desc) as of
        from watched where reason is null group by i, rep, months
    ) x
    where ramped > 0
)
, waiting as (
    select i, rep, k, months, (of - ramped)::numeric as above, of::numeric as below from risen where k = 1
    union all
    select w.i, w.rep, r.k, r.months, w.above * (r.of - r.ramped), w.below * r.of
    from waiting w join risen r on r.i = w.i and r.rep is not distinct from w.rep and r.k = w.k + 1
    where w.above * 2 > w.below
)
select w.i,
    w.rep,                                                                                     -- :reps
    (select min(x.months) from waiting x
    where x.i = w.i and x.rep is not distinct from w.rep and x.above * 2 <= x.below) as value,
    count(*) filter (where w.reason is null) as n,
    count(*) filter (where w.reason is null and not w.ramped) as still_ramping,
    count(*) filter (where w.reason is null) as still_ramping_over,
    count(*) filter (where w.reason is null and w.ramped) as ramped,
    count(*) filter (where w.reason is null and not w.ramped) as censored,
    count(*) filter (where w.reason = 'no_quota') as x_no_quota,
    count(*) filter (where w.reason = 'missing_fx') as x_missing_fx,
    count(*) filter (where w.reason = 'no_last_day') as x_no_last_day,
    count(*) filter (where w.reason = 'no_hire_date') as x_no_hire_date
from watched w
group by w.i, w.rep
