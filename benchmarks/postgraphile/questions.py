"""The lists of the cases as PostGraphile is asked for them, and its answers brought into the service's form.

It has neither `amount_home` nor `days_in_stage`, which are computed: it is spared them. Its filter cannot ask for what
is not deleted, since no index leads with that; no row of these lists is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from benchmarks.load import request

_KEPT = "custom externalIds version createdAt updatedAt deletedAt"
_ACCOUNT = (
    "id: rowId name parentId ownerId territoryId industry segment employees country website "
    f"mergedIntoId mergedIds {_KEPT}"
)
_OWNER = (
    "id: rowId name email title function managerId teamId territoryId workingCalendarId hiredOn leftOn status "
    f"{_KEPT}"
)
_DEAL = (
    "id: rowId name accountId ownerId pipelineId stageId category amount currency type salesChannel leadSource "
    "openedAt expectedCloseOn campaignId priceBookId termMonths closedAt probability forecastCategory lossReason "
    "competitor nextStep creditedOwnerId "
    f"stageEnteredAt pushCount lastActivityAt nextActivityAt {_KEPT}"
)
_NODE = (
    "id: rowId name amount currency category type salesChannel leadSource openedAt expectedCloseOn closedAt "
    "probability forecastCategory nextStep stageEnteredAt pushCount version"
)
COMPUTED = frozenset({"amount_home", "days_in_stage"})


def _document(deal: str, account: str, owner: str) -> str:
    return f"""
query Deals($tenant: UUID!, $owner: UUID!, $stage: UUID!) {{
  deals: allOpportunities(condition: {{tenantId: $tenant, ownerId: $owner, stageId: $stage}},
    orderBy: [EXPECTED_CLOSE_ON_ASC, ROW_ID_ASC], first: 50) {{
    nodes {{
      {deal}
      account: accountByTenantIdAndAccountId {{ {account} }}
      owner: repByTenantIdAndOwnerId {{ {owner} }}
    }}
  }}
}}
"""


WHOLE = _document(_DEAL, _ACCOUNT, _OWNER)
NODES = _document(_NODE, "id: rowId name industry country", "id: rowId name email")


def asked(document: str, tenant: UUID, owner: UUID, stage: UUID) -> bytes:
    variables = {"tenant": str(tenant), "owner": str(owner), "stage": str(stage)}
    return request("POST", "/graphql", body=orjson.dumps({"query": document, "variables": variables}))


def alike(record: Any) -> Any:
    """One form for both: snake_case, lower-case choices, exact numbers as floats, moments as moments."""
    if isinstance(record, list):
        return [alike(x) for x in record]
    if not isinstance(record, dict):
        return _value(record)
    plain = {_snake(name): alike(value) for name, value in record.items()}
    if plain.get("custom", {}) is None:
        plain["custom"] = {}  # a record that nobody has given any
    return {name: value for name, value in plain.items() if name not in COMPUTED}


def _snake(name: str) -> str:
    return "".join(f"_{x.lower()}" if x.isupper() else x for x in name)


def _value(value: Any) -> Any:
    if not isinstance(value, str):
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    for read in (float, lambda x: datetime.fromisoformat(x) if len(x) > 10 else x.lower()):
        try:
            return read(value)
        except ValueError:
            continue
    return value.lower()
