, calendar as materialized (
    select id, is_default, array[
        monday_hours, tuesday_hours, wednesday_hours, thursday_hours, friday_hours, saturday_hours, sunday_hours
    ] as week
    from working_calendars                                                                     -- :now
    from (select record_id as id, * from working_calendars_history) c                          -- :past :known
    where tenant_id = $tenant
        and deleted_at is null                                                                 -- :now
        and valid_from <= $asked and valid_to > $asked                                         -- :past :known
        and superseded_at = 'infinity'                                                         -- :past
        and recorded_at <= $known and superseded_at > $known                                   -- :known
)
, worker as materialized (
    select r.id as rep, coalesce(c.id, (select id from calendar where is_default)) as calendar_id
    from reps r                                                                                -- :now
    from (select record_id as id, * from reps_history) r                                       -- :past :known
    left join calendar c on c.id = r.working_calendar_id
    where r.tenant_id = $tenant
        and r.valid_from <= $asked and r.valid_to > $asked                                     -- :past :known
        and r.superseded_at = 'infinity'                                                       -- :past
        and r.recorded_at <= $known and r.superseded_at > $known                               -- :known
)
, clock as materialized (
    select d.calendar_id, d.day,
        coalesce(sum(case when d.hours > 0 then 1 - coalesce(f.share, 0) end) over before, 0) as days,
        coalesce(sum(d.hours * (1 - coalesce(f.share, 0))) over before, 0) as hours
    from (
        select c.id as calendar_id, s.lo + n as day, c.week[extract(isodow from s.lo + n)::int] as hours
        from calendar c cross join stretch s cross join lateral generate_series(0, s.hi - s.lo) n
    ) d
    left join (
        select calendar_id, day, sum(share) as share
        from holidays                                                                          -- :now
        from holidays_history                                                                  -- :past :known
        where tenant_id = $tenant
            and valid_from <= $asked and valid_to > $asked                                     -- :past :known
            and superseded_at = 'infinity'                                                     -- :past
            and recorded_at <= $known and superseded_at > $known                               -- :known
        group by calendar_id, day
    ) f on f.calendar_id = d.calendar_id and f.day = d.day
    window before as (partition by d.calendar_id order by d.day rows between unbounded preceding and 1 preceding)
)
