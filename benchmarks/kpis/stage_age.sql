-- How long the open deals have been in their stage by a bucket's last instant, in days: mean, median and third quartile.
-- :include bucket
-- :include version
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.seconds) as numerator, sum(a.n) * 86400 as denominator, sum(a.n) as n,
    sum(a.median) as median, 86400 as median_over, sum(a.p75) as p75, 86400 as p75_over,
    sum(a.unknown) as x_unknown_stage, sum(a.unborn) as x_no_open_date
from (
    select b.i,
        c.rep,                                                                                 -- :reps
        c.seconds, c.n, (c.ages[(c.n + 1) / 2] + c.ages[c.n / 2 + 1]) / 2 as median,
        (c.ages[(c.n * 3 + 3) / 4] + c.ages[c.n * 3 / 4 + 1]) / 2 as p75, c.unknown, 0 as unborn
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            sum(o.age) as seconds, count(o.age)::int as n, count(*) - count(o.age) as unknown,
            array_agg(o.age order by o.age) filter (where o.age is not null) as ages
        from (
            select *, extract(epoch from b.at - stage_entered_at) as age from version
            where category = 'open' and valid_from <= b.at and valid_to > b.at
        ) o
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        null, 0, null, null, 0, count(*)
    from bucket b join unborn o on o.valid_from > b.at and (o.closed_at is null or o.closed_at > b.at)
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
