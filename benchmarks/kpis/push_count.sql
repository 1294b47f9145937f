-- The days on which the expected close of an open deal ended later than it had begun. Beside it how many deals these
-- were, each where it first was; the pushes into another month and into another quarter; and by how many days.
-- :include bucket
-- :include deal
select b.i, c.*
from bucket b
cross join lateral (
    select
        p.rep,                                                                                 -- :reps
        count(*) as value, count(*) as n,
        count(*) filter (where p.first) as pushed_deals,                                       -- :reps
        count(distinct p.id) as pushed_deals,                                                  -- :whole
        count(*) filter (where date_trunc('month', p.becomes) > date_trunc('month', p.was)) as slips,
        count(*) filter (where date_trunc('quarter', p.becomes) > date_trunc('quarter', p.was)) as quarter_slips,
        sum(p.becomes - p.was) as average_days, count(*) as average_days_over
    from (
        select d.id, d.was, e.expected_close_on as becomes
            , m.owner_id as rep, row_number() over (partition by d.id order by d.begins) = 1 as first -- :reps
        from (
            select o.record_id as id, o.expected_close_on as was, y.begins, y.ends
            from opportunities_history o
            cross join lateral (select (o.valid_to at time zone $zone)::date as day) d
            cross join lateral (
                select d.day::timestamp at time zone $zone as begins,
                    least((d.day + 1)::timestamp at time zone $zone, $asked::timestamptz + interval '1 microsecond')
                        as ends
            ) y
            where o.tenant_id = $tenant and o.category = 'open' and o.expected_close_on is not null
                and o.superseded_at = 'infinity'                                               -- :now :past
                and o.recorded_at <= $known and o.superseded_at > $known                       -- :known
                and o.valid_to >= b.starts and o.valid_to < b.ends and o.valid_to <= $asked
                and o.valid_from < y.begins
        ) d
        cross join lateral (
            select category, expected_close_on                                                 -- :known
            from (                                                                             -- :known
                select category, expected_close_on, valid_from from opportunities_history
                where tenant_id = $tenant and record_id = d.id and superseded_at = 'infinity'
                    and valid_from >= d.begins and valid_from < d.ends
                    and recorded_at <= $known                                                  -- :known
                union all                                                                      -- :known
                select category, expected_close_on, valid_from from opportunities_history      -- :known
                where tenant_id = $tenant and record_id = d.id and superseded_at < 'infinity'  -- :known
                    and valid_from >= d.begins and valid_from < d.ends                         -- :known
                    and recorded_at <= $known and superseded_at > $known                       -- :known
            ) e                                                                                -- :known
            order by valid_from desc
            limit 1
        ) e
        cross join lateral (                                                                   -- :reps
            select owner_id from (                                                             -- :reps
                select owner_id, valid_from, expected_close_on,                                -- :reps
                    lag(expected_close_on) over (order by valid_from) as before                -- :reps
                from opportunities_history                                                     -- :reps
                where tenant_id = $tenant and record_id = d.id and superseded_at = 'infinity'  -- :reps
                    and valid_from >= d.begins and valid_from < d.ends                         -- :reps
            ) s                                                                                -- :reps
            where expected_close_on is distinct from before                                    -- :reps
            order by valid_from desc                                                           -- :reps
            limit 1                                                                            -- :reps
        ) m                                                                                    -- :reps
        where e.category = 'open' and e.expected_close_on > d.was
            and d.id in (select id from deal)
    ) p
    group by p.rep                                                                             -- :reps
) c
