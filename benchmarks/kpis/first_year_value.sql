-- What of the amounts of won deals falls into the first year of their terms, each at the rate of its day.
-- :include bucket
-- :include terms
select a.i,
    a.rep,                                                                                     -- :reps
    sum(round(a.total * least(a.term, 12) * case when a.currency = $target then 1 else r.rate end, 40) / a.term)
        as value,
    coalesce(sum(a.n) filter (where a.term is not null and (a.currency = $target or r.rate is not null)), 0) as n,
    coalesce(sum(a.n) filter (where a.term is not null and a.currency <> $target and r.rate is null), 0)
        as x_missing_fx,
    coalesce(sum(a.n) filter (where a.term is null), 0) as x_no_term, sum(a.no_amount) as x_no_amount,
    sum(a.undated) as x_no_close_date, sum(a.unborn) as x_no_open_date
from added a
left join rates r on r.currency = a.currency and r.day = a.day
group by a.i
    , a.rep                                                                                    -- :reps
