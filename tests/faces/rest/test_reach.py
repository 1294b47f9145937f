"""What a writer makes it must see: else nothing of it is stored. What is stored with a record may show it."""

from __future__ import annotations

from typing import Any

from tests.faces.rest.conftest import Api, code


async def test_a_deal_that_its_writer_would_not_see_is_not_stored(api: Api) -> None:
    body: dict[str, Any] = {"name": "Hidden", "owner_id": "crm:boss", "stage_id": "crm:open"}
    own = {"role": "rep", "rep": "r1"}
    refused = await api.post("/v1/opportunities", body, headers={"idempotency-key": "1"}, **own)
    assert code(refused) == (403, "out_of_reach")
    assert await api.data("/v1/opportunities?name=Hidden") == []
    body["splits"] = [{"rep_id": "me", "share": 1}]
    made = await api.post("/v1/opportunities", body, headers={"idempotency-key": "2"}, **own)
    assert made.status_code == 201, made.text
