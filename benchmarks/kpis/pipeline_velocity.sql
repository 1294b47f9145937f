-- Open deals x (won ÷ decided) x mean amount ÷ mean cycle in days, the latter three of the twelve months up to there,
-- all as they stood in a bucket's last instant. Beside it these three.
-- :include bucket
-- :include rates_year
-- :include version
, closes as materialized (
    select
        o.rep,                                                                                 -- :reps
        o.category, w.*, p.currency, p.day, sum(o.amount) as total, count(*) filter (where o.amount <> 0) as sized,
        count(*) filter (where o.amount = 0) as zero, count(*) - count(o.amount) as no_amount,
        sum(extract(epoch from o.closed_at - o.opened_at)) filter (where o.closed_at >= o.opened_at) as seconds,
        count(*) filter (where o.closed_at >= o.opened_at) as cycles, count(*) - count(o.opened_at) as unopened,
        count(*) filter (where o.closed_at < o.opened_at) as negative, count(*) as n
    from version o
    cross join lateral (
        select width_bucket(o.closed_at, $ends::timestamptz[]) as ended,
            width_bucket(o.closed_at, $year_before::timestamptz[]) as years,
            width_bucket(o.valid_from - interval '1 microsecond', $at::timestamptz[]) as since,
            width_bucket(o.valid_to - interval '1 microsecond', $at::timestamptz[]) as until
    ) w
    cross join lateral (
        select case when o.category = 'won' then o.currency end as currency,
            case when o.category = 'won' and o.currency <> $target
                then (o.closed_at at time zone $zone)::date end as day
    ) p
    where o.category <> 'open' and o.closed_at >= ($year_before::timestamptz[])[1]
        and o.closed_at < ($ends::timestamptz[])[cardinality($ends::timestamptz[])]
    group by
        o.rep,                                                                                 -- :reps
        o.category, w.ended, w.years, w.since, w.until, p.currency, p.day
)
select i,
    rep,                                                                                       -- :reps
    opened * won * size * cycles * 86400 as numerator, decided * sized * seconds as denominator,
    won as win_rate, decided as win_rate_over, size as average_deal_size, sized as average_deal_size_over,
    seconds as sales_cycle, cycles * 86400 as sales_cycle_over, opened as n, x_missing_fx, x_no_amount, x_zero_amount,
    x_negative_cycle, x_abandoned, x_no_close_date, x_no_open_date
from (
    select a.i,
        a.rep,                                                                                 -- :reps
        sum(a.opened) as opened, coalesce(sum(a.won), 0) as won, sum(a.decided) as decided, sum(a.size) as size,
        coalesce(sum(a.sized), 0) as sized, sum(a.seconds) as seconds, sum(a.cycles) as cycles,
        sum(a.missing_fx) as x_missing_fx, sum(a.no_amount) as x_no_amount, sum(a.zero) as x_zero_amount,
        sum(a.negative) as x_negative_cycle, sum(a.abandoned) as x_abandoned, sum(a.undated) as x_no_close_date,
        sum(a.unopened) as x_no_open_date
    from (
        select b.i,
            c.rep,                                                                             -- :reps
            c.n as opened, 0 as won, 0 as decided, null::numeric as size, 0 as sized, null::numeric as seconds,
            0 as cycles, 0 as missing_fx, 0 as no_amount, 0 as zero, 0 as negative, 0 as abandoned, 0 as undated,
            0 as unopened
        from bucket b
        cross join lateral (
            select
                o.rep,                                                                         -- :reps
                count(*) as n
            from version o
            where o.category = 'open' and o.valid_from <= b.at and o.valid_to > b.at
            group by o.rep                                                                     -- :reps
        ) c
        union all
        select b.i,
            c.rep,                                                                             -- :reps
            0, sum(c.n) filter (where c.category = 'won'), sum(c.n) filter (where c.category <> 'abandoned'),
            sum(c.total * case when c.currency = $target then 1 else r.rate end) filter (where c.category = 'won'),
            sum(c.sized) filter (where c.currency = $target or r.rate is not null),
            sum(c.seconds) filter (where c.category = 'won'), sum(c.cycles) filter (where c.category = 'won'),
            sum(c.sized) filter (where c.currency <> $target and r.rate is null),
            sum(c.no_amount) filter (where c.category = 'won'), sum(c.zero) filter (where c.category = 'won'),
            sum(c.negative) filter (where c.category = 'won'), sum(c.n) filter (where c.category = 'abandoned'), 0,
            sum(c.unopened) filter (where c.category = 'won')
        from bucket b
        join closes c on c.years > b.i and c.ended <= b.i and c.since <= b.i and c.until > b.i
        left join rates r on r.currency = c.currency and r.day = c.day
        group by b.i
            , c.rep                                                                            -- :reps
        union all
        select b.i,
            o.rep,                                                                             -- :reps
            0, 0, 0, null, 0, null, 0, 0, 0, 0, 0, 0, count(*) + count(*) filter (where o.category = 'won'), 0
        from bucket b join version o on o.valid_from <= b.at and o.valid_to > b.at
        where o.category <> 'open' and o.closed_at is null
        group by b.i
            , o.rep                                                                            -- :reps
        union all
        select b.i,
            o.rep,                                                                             -- :reps
            0, 0, 0, null, 0, null, 0, 0, 0, 0, 0, 0, 0,
            count(*) filter (where o.closed_at is null or o.closed_at > b.at)
                + count(*) filter (where o.category <> 'open' and o.closed_at >= b.since and o.closed_at <= b.at)
                + count(*) filter (where o.category = 'won' and o.closed_at >= b.since and o.closed_at <= b.at)
        from (
            select *, ($year_before::timestamptz[])[i + 1] as since from bucket
        ) b
        join unborn o on o.valid_from > b.at
        group by b.i
            , o.rep                                                                            -- :reps
    ) a
    group by a.i
        , a.rep                                                                                -- :reps
) s
