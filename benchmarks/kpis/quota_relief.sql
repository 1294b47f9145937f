-- What approved reliefs let reps off ÷ quota, by the days on which each of them works.
-- :include bucket
-- :include quota
, relief as materialized (
    select *
    from quota_reliefs                                                                         -- :now
    from quota_reliefs_history                                                                 -- :past :known
    where tenant_id = $tenant and metric = 'bookings' and starts_on < $last_day and ends_on > $first_day
        and deleted_at is null                                                                 -- :now
        and valid_from <= $asked and valid_to > $asked                                         -- :past :known
        and superseded_at = 'infinity'                                                         -- :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
        and rep_id in (select rep_id from mine)                                                -- :manager
)
, stretch as (
    select least(min(starts_on), $first_day::date) as lo, greatest(max(ends_on), $last_day::date) as hi from relief
)
-- :include clock
, let_off as materialized (
    select o.i, o.rep,
        sum(o.total * case when o.currency = $target then 1 else x.rate end) as total,
        coalesce(sum(o.n) filter (where o.currency = $target or x.rate is not null), 0) as n,
        coalesce(sum(o.n) filter (where o.currency <> $target and x.rate is null), 0) as missing_fx,
        sum(o.requested) as requested, sum(o.rejected) as rejected, sum(o.assigned) as assigned
    from (
        select d.i,
            d.rep,                                                                             -- :reps
            null::uuid as rep,                                                                 -- :whole
            d.currency, d.starts_on,
            sum(
                round(d.worth * case when w.known then w.some else d.until - d.since end, 40)
                    / (d.over * case when w.known then w.of else d.whole_until - d.whole_since end)
            ) filter (where d.state = 'approved' and not d.assigned) as total,
            count(*) filter (where d.state = 'approved' and not d.assigned) as n,
            count(*) filter (where d.state = 'requested') as requested,
            count(*) filter (where d.state = 'rejected') as rejected,
            count(*) filter (where d.state = 'approved' and d.assigned) as assigned
        from (
            select b.i, r.rep_id as rep, r.state, p.assigned, p.starts_on,
                greatest(r.starts_on, p.from_day, b.first) as since, least(r.ends_on, p.to_day, b.last) as until,
                case when r.share is null then r.starts_on else greatest(p.from_day, b.first) end as whole_since,
                case when r.share is null then r.ends_on else least(p.to_day, b.last) end as whole_until,
                case when r.share is null then r.amount
                    else p.amount * r.share * (least(p.to_day, b.last) - greatest(p.from_day, b.first)) end as worth,
                case when r.share is null then 1 else p.days end as over,
                case when r.share is null then r.currency else p.currency end as currency
            from relief r
            join piece p on p.rep = r.rep_id and p.from_day < r.ends_on and p.to_day > r.starts_on
            join bucket b on greatest(r.starts_on, p.from_day) < b.last and least(r.ends_on, p.to_day) > b.first
        ) d
        join worker e on e.rep = d.rep
        left join clock since on since.calendar_id = e.calendar_id and since.day = d.since
        left join clock until on until.calendar_id = e.calendar_id and until.day = d.until
        left join clock whole_since on whole_since.calendar_id = e.calendar_id and whole_since.day = d.whole_since
        left join clock whole_until on whole_until.calendar_id = e.calendar_id and whole_until.day = d.whole_until
        cross join lateral (
            select until.days - since.days as some, whole_until.days - whole_since.days as of,
                coalesce(whole_until.days > whole_since.days, false) as known
        ) w
        group by d.i,
            d.rep,                                                                             -- :reps
            d.currency, d.starts_on
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
    ) x on o.currency <> $target
    group by o.i, o.rep
)
select coalesce(q.i, l.i) as i,
    coalesce(q.rep, l.rep) as rep,                                                             -- :reps
    coalesce(l.total, 0) as numerator, q.total as denominator, coalesce(l.n, 0) as n,
    case when q.n > 0 and coalesce(l.missing_fx, 0) = 0 then q.total - coalesce(l.total, 0) end as after_relief,
    l.requested as x_requested, l.rejected as x_rejected,
    coalesce(q.assigned, 0) + coalesce(l.assigned, 0) as x_assigned,
    coalesce(q.missing_fx, 0) + coalesce(l.missing_fx, 0) as x_missing_fx
from owed q
full join let_off l on l.i = q.i
    and l.rep = q.rep                                                                          -- :reps
