-- Won deals before which their account had none, whoever may see those.
-- :include bucket
-- :include deal
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.n) as value, sum(a.n) as n, sum(a.nobody) as x_no_account, sum(a.undated) as x_no_close_date,
    sum(a.unborn) as x_no_open_date
from (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            count(o.account_id) as n, count(*) - count(o.account_id) as nobody, 0 as undated, 0 as unborn
        from deal o
        where o.category = 'won' and o.closed_at >= b.starts and o.closed_at < b.ends
            and not exists (
                select from opportunities e                                                    -- :now
                where e.tenant_id = $tenant and e.account_id = o.account_id and e.category = 'won' -- :now
                    and e.deleted_at is null and (e.closed_at, e.id) < (o.closed_at, o.id)     -- :now
                select from opportunities_history e                                            -- :past :known
                where e.tenant_id = $tenant and e.account_id = o.account_id and e.category = 'won' -- :past :known
                    and (e.closed_at, e.record_id) < (o.closed_at, o.id)                       -- :past :known
                    and e.valid_from <= $asked and e.valid_to > $asked                         -- :past :known
                    and e.superseded_at = 'infinity'                                           -- :past
                    and e.recorded_at <= $known and e.superseded_at > $known                   -- :known
            )
        group by o.rep                                                                         -- :reps
    ) c
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, count(*), 0
    from deal o cross join bucket b
    where o.category = 'won' and o.closed_at is null
    group by b.i
        , o.rep                                                                                -- :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
