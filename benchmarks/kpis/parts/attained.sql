-- :include won by rep
-- :include quota by rep
, attained as (
    select coalesce(k.i, q.i) as i, coalesce(k.rep, q.rep) as rep, coalesce(k.total, 0) as total, q.total as quota,
        case
            when k.n = 0 and k.missing_fx > 0 then 'missing_fx'
            when q.total <> 0 then 'carries'
            when q.missing_fx > 0 then 'missing_fx'
            when q.assigned > 0 then 'assigned'
            else 'no_quota'
        end as state
    from booked k
    full join owed q on q.i = k.i and q.rep = k.rep
    where coalesce(k.rep, q.rep) is not null
)
