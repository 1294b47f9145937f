-- The open amounts due in the bucket ÷ (quota - bookings), each as it stood in the bucket's last instant. Beside it
-- the same against the whole quota, and the closed deals of the twelve months up to there ÷ those won.
-- :include bucket
-- :include rate
-- :include rates
-- :include version
-- :include quota_at_end
, open_due as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, sum(o.amount) filter (where o.expected_close_on >= d.today) as total,
            count(o.amount) filter (where o.expected_close_on >= d.today) as n,
            count(*) filter (where o.expected_close_on is not null and o.amount is null) as no_amount,
            count(o.amount) filter (where o.expected_close_on < d.today) as past_due,
            count(*) filter (where o.expected_close_on is null) as without
        from version o
        cross join (select (b.at at time zone $zone)::date as today) d
        where o.category = 'open' and o.valid_from <= b.at and o.valid_to > b.at
            and (o.expected_close_on >= b.first and o.expected_close_on < b.last or o.expected_close_on is null)
        group by
            o.rep,                                                                             -- :reps
            o.currency
    ) c
)
, closes as materialized (
    select
        o.rep,                                                                                 -- :reps
        o.category, w.*, case when o.category = 'won' then o.currency end as currency,
        case when o.category = 'won' and o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
        sum(o.amount) as total, count(o.amount) as priced, count(*) as n
    from version o
    cross join lateral (
        select width_bucket(o.closed_at, $starts::timestamptz[]) as begun,
            width_bucket(o.closed_at, $ends::timestamptz[]) as ended,
            width_bucket(o.closed_at, $year_before::timestamptz[]) as years,
            width_bucket(o.valid_from - interval '1 microsecond', $at::timestamptz[]) as since,
            width_bucket(o.valid_to - interval '1 microsecond', $at::timestamptz[]) as until
    ) w
    where o.category <> 'open' and o.closed_at >= ($year_before::timestamptz[])[1]
        and o.closed_at < ($ends::timestamptz[])[cardinality($ends::timestamptz[])]
    group by
        o.rep,                                                                                 -- :reps
        o.category, w.begun, w.ended, w.years, w.since, w.until,
        case when o.category = 'won' then o.currency end, day
)
select a.i,
    a.rep,                                                                                     -- :reps
    coalesce(sum(a.due), 0) as numerator,
    case when sum(a.quota) > 0 and sum(a.quota) > coalesce(sum(a.booked), 0)
        then sum(a.quota) - coalesce(sum(a.booked), 0) end as denominator,
    coalesce(sum(a.due), 0) as vs_remaining,
    greatest(sum(a.quota) - coalesce(sum(a.booked), 0), 0) as vs_remaining_over,
    coalesce(sum(a.due), 0) as vs_full_quota, sum(a.quota) as vs_full_quota_over,
    coalesce(sum(a.decided), 0) as required, sum(a.won) as required_over,
    coalesce(sum(a.n), 0) as n, sum(a.missing_fx) as x_missing_fx, sum(a.no_amount) as x_no_amount,
    sum(a.past_due) as x_past_due, sum(a.without) as x_no_expected_close, sum(a.abandoned) as x_abandoned,
    sum(a.assigned) as x_assigned, sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from (
    select d.i,
        d.rep,                                                                                 -- :reps
        sum(d.total * case when d.currency = $target then 1 else r.rate end) as due,
        sum(d.n) filter (where d.currency = $target or r.rate is not null) as n,
        sum(d.n) filter (where d.currency <> $target and r.rate is null) as missing_fx, sum(d.no_amount) as no_amount,
        sum(d.past_due) as past_due, sum(d.without) as without, null::numeric as booked, 0 as won, 0 as decided,
        0 as abandoned, 0 as undated, 0 as unborn, null::numeric as quota, 0 as assigned
    from open_due d
    left join rate r on r.i = d.i and r.currency = d.currency
    group by d.i
        , d.rep                                                                                -- :reps
    union all
    select b.i,
        c.rep,                                                                                 -- :reps
        null, 0, sum(c.priced) filter (where c.booked and c.currency <> $target and r.rate is null),
        sum(c.n - c.priced) filter (where c.booked), 0, 0,
        sum(c.total * case when c.currency = $target then 1 else r.rate end) filter (where c.booked),
        sum(c.n) filter (where c.category = 'won'), sum(c.n) filter (where c.category <> 'abandoned'),
        sum(c.n) filter (where c.category = 'abandoned'), 0, 0, null, 0
    from bucket b
    cross join lateral (
        select *, category = 'won' and begun > b.i as booked from closes
        where years > b.i and ended <= b.i and since <= b.i and until > b.i
    ) c
    left join rates r on r.currency = c.currency and r.day = c.day
    group by b.i
        , c.rep                                                                                -- :reps
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, 0, 0, 0, 0, 0, null, 0, 0, 0, count(*) + count(*) filter (where o.category = 'won'), 0, null, 0
    from bucket b join version o on o.valid_from <= b.at and o.valid_to > b.at
    where o.category <> 'open' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, 0, 0, 0, 0, 0, null, 0, 0, 0, 0,
        count(*) + count(*) filter (where o.category = 'won' and o.closed_at >= b.starts), null, 0
    from (
        select *, ($year_before::timestamptz[])[i + 1] as since from bucket
    ) b
    join unborn o on o.valid_from > b.at and o.category <> 'open' and o.closed_at >= b.since and o.closed_at < b.ends
        and o.closed_at <= b.at
    group by b.i
        , o.rep                                                                                -- :reps
    union all
    select q.i,
        q.rep,                                                                                 -- :reps
        null, 0, q.missing_fx, 0, 0, 0, null, 0, 0, 0, 0, 0, q.total, q.assigned
    from owed q
) a
group by a.i
    , a.rep                                                                                    -- :reps
