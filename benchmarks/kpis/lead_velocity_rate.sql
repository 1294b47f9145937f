-- (Leads qualified in the bucket - those of the stretch before it) ÷ those of the stretch before it.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n - a.earlier) as numerator, sum(a.earlier) as denominator, sum(a.n) as n,
    sum(a.n) as qualified, sum(a.earlier) as before, sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    join unnest($i::int[], $before_starts::timestamptz[], $before_ends::timestamptz[]) p (i, starts, ends)
        on p.i = b.i
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.qualified_at >= b.starts) as n,
            count(*) filter (where o.qualified_at < p.ends) as earlier, 0 as unborn
        from lead o
        where o.qualified_at >= p.starts and o.qualified_at < b.ends
        group by o.rep                                                                         -- :reps
    ) c
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, count(*)                                                                         -- :past
    from unnest($i::int[] || $i::int[], $starts::timestamptz[] || $before_starts::timestamptz[], -- :past
        $ends::timestamptz[] || $before_ends::timestamptz[]) b (i, starts, ends)               -- :past
    join unborn o on o.valid_from > $asked                                                     -- :past
        and o.qualified_at >= b.starts and o.qualified_at < b.ends and o.qualified_at <= $asked -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
