"""What is posted is told in the feed, as any other change: in the statement that posts it."""

TOLD = """
insert into events (tenant_id, type, noun, record_id, version, changed)
select {tenant}, case version when 1 then 'statement_line.created' else 'statement_line.updated' end,
       'statement_lines', id, version, case version when 1 then '{{}}'::text[] else '{{amount,trace}}' end
from written
union all
select {tenant}, 'ledger_entry.created', 'ledger_entries', id, 1, '{{}}' from entered
"""
"""Over `written`, lines with their versions, and `entered`, entries."""
