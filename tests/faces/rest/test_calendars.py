"""A tenant's fiscal calendar of weeks, from its noun to the buckets of a number and the days of a quota."""

from __future__ import annotations

from tests.faces.rest.conftest import Api, code

RETAIL = {"pattern": "weeks_4_5_4", "start_month": 2, "week_starts_on": "sunday", "named_for": "start"}


async def test_fiscal_words_follow_the_calendar(api: Api) -> None:
    calendar = (await api.post("/v1/fiscal_calendars", {"name": "Ours", "is_default": True})).json()
    assert (calendar["pattern"], calendar["anchor"], calendar["named_for"]) == ("months", "nearest", "end")
    changed = await api.patch(f"/v1/fiscal_calendars/{calendar['id']}", RETAIL)
    assert changed.status_code == 200, changed.text
    asked = {"metric": "open_deals", "period": "FY2023-Q4", "grain": "fiscal_period"}
    rows = (await api.get("/v1/metrics/query", params=asked)).json()["data"]
    assert [(x["period_start"], x["period_end"]) for x in rows] == [
        ("2023-10-29", "2023-11-26"), ("2023-11-26", "2023-12-31"), ("2023-12-31", "2024-02-04"),
    ]  # fmt: skip
    quota = {"rep_id": "crm:r1", "period": "FY2026-P02", "amount": 1}
    made = (await api.post("/v1/quotas", quota)).json()
    assert (made["starts_on"], made["ends_on"]) == ("2026-03-01", "2026-04-05")
    past = await api.data("/v1/opportunities?opened_at[in_period]=FY2025-12")
    assert {x["name"] for x in past} == {f"Deal {i}" for i in range(4, 10)}
    for word, value in (("pattern", "weeks_4_4_4"), ("week_starts_on", "someday"), ("start_month", 13)):
        refused = await api.patch(f"/v1/fiscal_calendars/{calendar['id']}", {word: value})
        assert code(refused) == (422, "invalid")
    graph = "mutation($id: ID!) { updateFiscalCalendar(id: $id, input: {pattern: WEEKS_4_4_5}) { changed } }"
    told = await api.post("/graphql", {"query": graph, "variables": {"id": calendar["id"]}})
    assert told.json()["data"]["updateFiscalCalendar"]["changed"] == ["pattern"], told.text
    rows = (await api.get("/v1/metrics/query", params=asked)).json()["data"]
    assert [x["period_start"] for x in rows] == ["2023-10-29", "2023-11-26", "2023-12-24"]
