-- :include span
, worked as materialized (
    select b.i, least(b.last, ($asked::timestamptz at time zone $zone)::date + 1) - b.first as of, c.*
    from bucket b
    cross join lateral (
        select
            s.rep,                                                                             -- :reps
            null::uuid as rep,                                                                 -- :whole
            sum(greatest(least(s.until, b.last) - greatest(s.since, s.told, b.first), 0)) as days,
            count(*) filter (where least(s.until, s.told, b.last) > greatest(s.since, b.first) and s.told is not null) as untold
        from span s
        where s.since < b.last and s.until > b.first
        group by s.rep                                                                         -- :reps
    ) c
)
