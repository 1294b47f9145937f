-- :include shared
, seen_deal as materialized (                                                                  -- :manager
    select id, account_id from opportunities                                                   -- :manager
    where tenant_id = $tenant and deleted_at is null                                           -- :manager
        and (owner_id in (select rep_id from mine) or id in (select opportunity_id from shared)) -- :manager
)                                                                                              -- :manager
, seen_account as materialized (                                                               -- :manager
    select id from accounts                                                                    -- :manager
    where tenant_id = $tenant and (owner_id in (select rep_id from mine) or owner_id is null   -- :manager
        or id in (select account_id from seen_deal))                                           -- :manager
)                                                                                              -- :manager
, seen_lead as materialized (                                                                  -- :manager
    select id from leads                                                                       -- :manager
    where tenant_id = $tenant and (owner_id in (select rep_id from mine) or owner_id is null)  -- :manager
)                                                                                              -- :manager
, activity as not materialized (
    select a.*, a.owner_id as rep
    from activities a                                                                          -- :now
    from (select record_id as id, * from activities_history) a                                 -- :past :known
    where a.tenant_id = $tenant
        and a.deleted_at is null                                                               -- :now
        and a.valid_from <= $asked and a.valid_to > $asked                                     -- :past :known
        and a.superseded_at = 'infinity'                                                       -- :past
        and a.recorded_at <= $known and a.superseded_at > $known                               -- :known
        and case                                                                               -- :manager
            when a.opportunity_id is not null then a.opportunity_id in (select id from seen_deal) -- :manager
            when a.account_id is not null then a.account_id in (select id from seen_account)   -- :manager
            when a.lead_id is not null then a.lead_id in (select id from seen_lead)            -- :manager
            else a.owner_id in (select rep_id from mine)                                       -- :manager
        end                                                                                    -- :manager
)
