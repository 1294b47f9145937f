-- Open deals that have been longer in their stage than its limit, or else than three quarters of the stays there of the
-- deals won within a year before.
-- :include bucket
-- :include version
, told as not materialized (
    select record_id as id, * from opportunities_history
    where tenant_id = $tenant
        and superseded_at = 'infinity'                                                         -- :now :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
)
, stay as materialized (
    select h.stage_id, w.*, extract(epoch from max(h.valid_to) - h.stage_entered_at) as seconds
    from told o
    join told h on h.id = o.id and h.category = 'open' and h.stage_id is not null and h.valid_from < o.valid_from
    cross join lateral (
        select width_bucket(o.closed_at - interval '1 microsecond', $at::timestamptz[]) as closed,
            width_bucket(
                o.closed_at - interval '1 microsecond',
                (select array_agg(at - interval '1 year' order by i) from bucket)
            ) as years,
            width_bucket(o.valid_from - interval '1 microsecond', $at::timestamptz[]) as since,
            width_bucket(o.valid_to - interval '1 microsecond', $at::timestamptz[]) as until
    ) w
    where o.category = 'won' and o.closed_at > (select min(at) from bucket) - interval '1 year'
        and o.closed_at <= (select max(at) from bucket)
    group by o.id, o.valid_from, h.stage_id, h.stage_entered_at, w.closed, w.years, w.since, w.until
    order by h.stage_id, seconds
)
, usual as materialized (
    select b.i, s.stage_id, (s.stays[(s.n * 3 + 3) / 4] + s.stays[s.n * 3 / 4 + 1]) / 2 as seconds
    from bucket b
    cross join lateral (
        select stage_id, count(*)::int as n, array_agg(seconds order by seconds) as stays
        from stay
        where years > b.i and closed <= b.i and since <= b.i and until > b.i
        group by stage_id
    ) s
)
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n) as value, sum(a.n) as n, sum(a.unknown) as x_unknown_stage, sum(a.boundless) as x_no_limit,
    sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(*) filter (where o.age > l.seconds) as n, count(*) filter (where o.age is null) as unknown,
            count(*) filter (where o.age is not null and l.seconds is null) as boundless, 0 as unborn
        from (
            select *, extract(epoch from b.at - stage_entered_at) as age from version
            where category = 'open' and valid_from <= b.at and valid_to > b.at
        ) o
        left join stages_history s on s.tenant_id = $tenant and s.record_id = o.stage_id
            and s.valid_from <= b.at and s.valid_to > b.at
            and s.superseded_at = 'infinity'                                                   -- :now :past
            and s.recorded_at <= $known and s.superseded_at > $known                           -- :known
        left join usual u on u.i = b.i and u.stage_id = o.stage_id
        cross join lateral (select coalesce(s.stalled_after_days * 86400, u.seconds) as seconds) l
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, 0, count(*)
    from bucket b join unborn o on o.valid_from > b.at and (o.closed_at is null or o.closed_at > b.at)
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
