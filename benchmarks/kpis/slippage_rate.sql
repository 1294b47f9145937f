-- Deals open and due in the bucket as it began that were still open at its end ÷ all that were due. Beside it the same
-- by amounts at the rates of the first day, what else became of them, and what was won that had been due later.
-- :include bucket
-- :include version
, begun as materialized (
    select b.i, r.from_currency as currency, r.rate
    from bucket b
    cross join lateral (
        select distinct on (from_currency) from_currency, rate
        from exchange_rates                                                                    -- :now
        where deleted_at is null and                                                           -- :now
        from exchange_rates_history                                                            -- :past :known
        where valid_from <= $asked and valid_to > $asked and                                   -- :past :known
            superseded_at = 'infinity' and                                                     -- :past
            recorded_at <= $known and superseded_at > $known and                               -- :known
            tenant_id = $tenant and to_currency = $target and on_day <= b.first
        order by from_currency, on_day desc
    ) r
)
, due as (
    select b.i, c.*
    from bucket b
    cross join lateral (
        select
            o.rep,                                                                             -- :reps
            o.currency, o.expected_close_on is null as undated,
            count(*) filter (where o.expected_close_on < b.last and e.category is not null) as due,
            count(*) filter (where o.expected_close_on < b.last and e.category = 'open') as slipped,
            count(*) filter (where o.expected_close_on < b.last and e.category = 'won') as won,
            count(*) filter (where o.expected_close_on < b.last and e.category in ('lost', 'abandoned')) as lost,
            count(*) filter (where o.expected_close_on < b.last and e.category is null) as deleted,
            sum(o.amount) filter (where o.expected_close_on < b.last and e.category is not null) as due_amount,
            sum(o.amount) filter (where o.expected_close_on < b.last and e.category = 'open') as slipped_amount,
            count(*) filter (where o.expected_close_on >= b.last and e.category = 'won') as pulled_in,
            count(*) filter (where o.expected_close_on is null) as without
        from version o
        left join lateral (
            select category from opportunities_history
            where tenant_id = $tenant and record_id = o.id and superseded_at = 'infinity'
                and valid_from <= b.at and valid_to > b.at
                and recorded_at <= $known                                                      -- :known
            union all                                                                          -- :known
            select category from opportunities_history                                         -- :known
            where tenant_id = $tenant and record_id = o.id and superseded_at < 'infinity'      -- :known
                and valid_from <= b.at and valid_to > b.at                                     -- :known
                and recorded_at <= $known and superseded_at > $known                           -- :known
        ) e on true
        where o.category = 'open' and o.valid_from <= b.starts and o.valid_to > b.starts
            and (o.expected_close_on >= b.first or o.expected_close_on is null)
        group by
            o.rep,                                                                             -- :reps
            o.currency, undated
    ) c
)
select d.i,
    d.rep,                                                                                     -- :reps
    sum(d.slipped) as numerator, sum(d.due) as denominator, sum(d.due) as n,
    coalesce(sum(d.slipped_amount * case when d.currency = $target then 1 else r.rate end), 0) as by_value,
    sum(d.due_amount * case when d.currency = $target then 1 else r.rate end) as by_value_over,
    sum(d.won) as won_share, sum(d.due) as won_share_over, sum(d.lost) as lost_share, sum(d.due) as lost_share_over,
    sum(d.pulled_in) as pulled_in, sum(d.deleted) as x_deleted, sum(d.without) as x_no_expected_close
from due d
left join begun r on r.i = d.i and r.currency = d.currency
group by d.i
    , d.rep                                                                                    -- :reps
