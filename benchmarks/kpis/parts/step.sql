-- :include deal
, place as materialized (
    select id as stage_id, pipeline_id, category, category = 'won' as won,
        case when category = 'won' then count(*) filter (where category = 'open') over (partition by pipeline_id) + 1
            else count(*) filter (where category = 'open') over (partition by pipeline_id order by position, id)
        end as place
    from (
        select distinct on (record_id) record_id as id, pipeline_id, category, position
        from stages_history
        where tenant_id = $tenant and valid_from <= $asked
            and superseded_at = 'infinity'                                                     -- :now :past
            and recorded_at <= $known and superseded_at > $known                               -- :known
        order by record_id, valid_from desc
    ) s
)
, told as not materialized (
    select record_id as id, valid_from, stage_id, stage_entered_at from opportunities_history
    where tenant_id = $tenant and valid_from <= $asked
        and superseded_at = 'infinity'                                                         -- :now :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
)
, furthest as materialized (
    select id, pipeline_id, valid_from, stage_entered_at, won, place, before,
        place - coalesce(before, 0) - 1 as skipped, before is null and (won or unseen) as unknown,
        lead(valid_from) over (partition by id, pipeline_id order by valid_from) as passed_at
    from (
        select t.id, t.valid_from, t.stage_entered_at, p.pipeline_id, p.won, p.place,
            max(p.place) over (partition by t.id, p.pipeline_id order by t.valid_from
                rows between unbounded preceding and 1 preceding) as before,
            coalesce(bool_or(t.stage_id is null) over (partition by t.id order by t.valid_from
                rows between unbounded preceding and 1 preceding), false) as unseen
        from told t
        left join place p on p.stage_id = t.stage_id and p.category in ('open', 'won')
        where t.id in (
            select id from told
            where valid_from = stage_entered_at and stage_entered_at >= ($starts::timestamptz[])[1]
                and stage_entered_at < ($ends::timestamptz[])[cardinality($ends::timestamptz[])]
                and id in (select id from deal)                                                -- :manager
        )
    ) t
    where place > coalesce(before, 0)
)
, step as (
    select width_bucket(f.stage_entered_at, $starts::timestamptz[]) - 1 as i,
        o.rep,                                                                                 -- :reps
        f.skipped, not f.won as stood, f.unknown, not f.won and f.passed_at is not null as passed,
        not f.won and f.passed_at is null and o.category = 'open' as still_there,
        not f.won and f.passed_at is null and o.category <> 'open' as dropped,
        extract(epoch from f.passed_at - f.valid_from) as seconds
    from furthest f
    join deal o on o.id = f.id
    where f.valid_from = f.stage_entered_at and f.stage_entered_at >= ($starts::timestamptz[])[1]
        and f.stage_entered_at < ($ends::timestamptz[])[cardinality($ends::timestamptz[])]
)
