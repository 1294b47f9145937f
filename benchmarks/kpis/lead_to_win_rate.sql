-- Leads whose deal is won ÷ all that came in; deals count whoever may see them.
-- :include bucket
-- :include lead
select a.i,
    a.rep,                                                                                     -- :reps
    sum(a.won) as numerator, sum(a.n) as denominator, sum(a.n) as n,
    sum(a.won) as of_resolved, sum(a.n - a.undecided) as of_resolved_over,
    sum(a.undecided) as open_share, sum(a.n) as open_share_over,
    sum(a.dealt) as deal_share, sum(a.n) as deal_share_over, sum(a.undated + a.unborn) as x_no_open_date
from (
    select b.i,
        o.rep,                                                                                 -- :reps
        count(*) as n, count(*) filter (where d.category = 'won') as won, count(d.category) as dealt,
        count(*) filter (where d.category = 'open'
            or d.category is null and o.converted_at is null and o.disqualified_at is null) as undecided,
        0 as undated, 0 as unborn
    from bucket b
    join lead o on o.received_at >= b.starts and o.received_at < b.ends
    left join opportunities d on d.tenant_id = $tenant and d.id = o.converted_opportunity_id and d.deleted_at is null -- :now
    left join opportunities_history d on d.tenant_id = $tenant and d.record_id = o.converted_opportunity_id -- :past :known
        and d.valid_from <= $asked and d.valid_to > $asked                                     -- :past :known
        and d.superseded_at = 'infinity'                                                       -- :past
        and d.recorded_at <= $known and d.superseded_at > $known                               -- :known
    group by b.i
        , o.rep                                                                                -- :reps
    union all
    select b.i,
        o.rep,                                                                                 -- :reps
        0, 0, 0, 0, count(*), 0
    from lead o cross join bucket b
    where o.received_at is null
    group by b.i
        , o.rep                                                                                -- :reps
    union all                                                                                  -- :past
    select b.i,                                                                                -- :past
        o.rep,                                                                                 -- :past :reps
        0, 0, 0, 0, 0, count(*)                                                                -- :past
    from bucket b join unborn o on o.valid_from > $asked                                       -- :past
    group by b.i                                                                               -- :past
        , o.rep                                                                                -- :past :reps
) a
group by a.i
    , a.rep                                                                                    -- :reps
