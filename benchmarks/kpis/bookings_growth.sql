-- (Bookings - those of the stretch before) ÷ those of the stretch before.
-- :include bucket
-- :include rates_before
-- :include deal
, added as (
    select b.i, c.*
    from unnest($i::int[] || $i::int[], $starts::timestamptz[] || $before_starts::timestamptz[],
        $ends::timestamptz[] || $before_ends::timestamptz[],
        array_fill(true, array[cardinality($i::int[])]) || array_fill(false, array[cardinality($i::int[])])
    ) b (i, starts, ends, own)
    cross join lateral (
        select b.own,
            o.rep,                                                                             -- :reps
            o.currency, case when o.currency <> $target then (o.closed_at at time zone $zone)::date end as day,
            sum(o.amount) as total, count(o.amount) as n, count(*) - count(o.amount) as no_amount, 0 as undated,
            0 as unborn
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
        group by
            o.rep,                                                                             -- :reps
            o.currency, day
    ) c
    union all
    select b.i, null,
        o.rep,                                                                                 -- :reps
        null, null, null, 0, 0, count(*) * 2, 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i, null,                                                                          -- :past
        o.rep,                                                                                 -- :past :reps
        null, null, null, 0, 0, 0, count(*)                                                    -- :past
    from unnest($i::int[] || $i::int[], $starts::timestamptz[] || $before_starts::timestamptz[], -- :past
        $ends::timestamptz[] || $before_ends::timestamptz[]) b (i, starts, ends)               -- :past
    join unborn o on o.valid_from > $asked and o.category = 'won'                              -- :past
        and o.closed_at >= b.starts and o.closed_at < b.ends and o.closed_at <= $asked         -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
)
select i,
    rep,                                                                                       -- :reps
    case when before > 0 then coalesce(bookings, 0) - before end as numerator, before as denominator,
    coalesce(bookings, 0) as bookings, coalesce(before, 0) as before, n, x_missing_fx, x_no_amount, x_no_close_date, x_no_open_date
from (
    select a.i,
        a.rep,                                                                                 -- :reps
        sum(a.total * case when a.currency = $target then 1 else r.rate end) filter (where a.own) as bookings,
        sum(a.total * case when a.currency = $target then 1 else r.rate end) filter (where not a.own) as before,
        coalesce(sum(a.n) filter (where a.own and (a.currency = $target or r.rate is not null)), 0) as n,
        coalesce(sum(a.n) filter (where a.currency <> $target and r.rate is null), 0) as x_missing_fx,
        sum(a.no_amount) as x_no_amount, sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
    from added a
    left join rates r on r.currency = a.currency and r.day = a.day
    group by a.i
        , a.rep                                                                                -- :reps
) s
