"""Who asks, what changed, what a noun is, API keys, and the pages that need no key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.faces.rest.conftest import Api, code


async def test_me_tells_who_asks(api: Api) -> None:
    me = (await api.get("/v1/me", role="rep", rep="r1")).json()
    assert me["rep"]["name"] == "Rep 1"
    assert me["role"] == "rep"
    assert me["permissions"]["opportunities"] == ["read", "write"]
    assert me["permissions"]["products"] == ["read"]
    assert "users" not in me["permissions"]
    assert me["tenant"]["home_currency"] == "USD"
    narrowed = (await api.get("/v1/me", scopes=("accounts:read",))).json()
    assert narrowed["permissions"] == {"accounts": ["read"]}


async def test_events_come_in_order_and_are_seen_as_their_records(api: Api, settled: Any) -> None:
    await settled()
    start = (await api.get("/v1/events?limit=1000")).json()["next_cursor"]
    await api.post("/v1/opportunities/crm:d3:close_won")
    await api.patch("/v1/opportunities/crm:d5", {"next_step": "Call"})
    await settled()
    batch = (await api.get(f"/v1/events?after={start}")).json()
    assert [x["type"] for x in batch["data"]] == ["opportunity.won", "opportunity.updated"]
    assert "stage_id" in batch["data"][0]["changed"]
    assert batch["data"][1]["changed"] == ["next_step"]
    assert not batch["has_more"]
    mine = (await api.get(f"/v1/events?after={start}", role="rep", rep="r1")).json()
    assert [x["type"] for x in mine["data"]] == ["opportunity.won"]
    typed = (await api.get(f"/v1/events?after={start}&types=opportunity.updated")).json()
    assert len(typed["data"]) == 1
    page = (await api.get(f"/v1/events?after={start}&limit=1")).json()
    assert page["has_more"]
    rest = (await api.get(f"/v1/events?after={page['next_cursor']}")).json()
    assert page["data"] + rest["data"] == batch["data"]
    assert code(await api.get("/v1/events?after=x")) == (400, "bad_cursor")


@pytest.mark.parametrize("name", ["opportunity", "opportunities"])
async def test_describe_tells_fields_picklists_and_unknown_values(api: Api, name: str) -> None:
    await api.post(
        "/v1/picklist_values", {"field": "opportunity.lead_source", "value": "referral", "label": "Referral"}
    )
    for number, value in ((1, "referral"), (2, "carrier pigeon"), (4, "carrier pigeon")):
        await api.patch(f"/v1/opportunities/crm:d{number}", {"lead_source": value})
    described = (await api.get(f"/v1/describe/{name}")).json()
    fields = {x["name"]: x for x in described["fields"]}
    assert fields["lead_source"]["picklist"][0]["label"] == "Referral"
    assert fields["lead_source"]["unknown_values"] == [{"value": "carrier pigeon", "records": 2}]
    assert fields["category"]["writable"] is False
    assert "in_period" in fields["closed_at"]["operators"]
    assert {x["name"] for x in described["children"]} == {
        "line_items", "splits", "team", "contact_roles",
    }  # fmt: skip
    assert "close_won" in {x["name"] for x in described["actions"]}
    assert described["permissions"] == ["read", "write"]
    seen = (await api.get(f"/v1/describe/{name}", role="rep", rep="r1")).json()
    assert {x["name"]: x for x in seen["fields"]}["lead_source"]["unknown_values"] == []
    missing = await api.get("/v1/describe/oportunity")
    assert code(missing)[0] == 404
    assert 'Did you mean "opportunity"?' in missing.json()["detail"]
    fields = {x["name"] for x in (await api.get("/v1/describe/product", role="rep")).json()["fields"]}
    assert "cost" not in fields


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    made = await api.post("/v1/api_keys", {"name": "Sync", "role": "rep", "rep_id": "crm:r1"})
    assert made.status_code == 201, made.text
    body = made.json()
    secret = body.pop("key")
    assert secret.startswith("attain_")
    assert (body["name"], body["role"], body["rep_id"]) == ("Sync", "rep", api.reps["r1"])

    async def status(key: str) -> int:
        response = await api.client.get("/v1/me", headers={"authorization": f"Bearer {key}"})
        return response.status_code

    assert await status(secret) == 200
    listed = await api.get("/v1/api_keys?name=Sync")
    assert secret not in listed.text
    assert "key_hash" not in listed.text
    rotated = (await api.post(f"/v1/api_keys/{body['id']}:rotate")).json()
    assert (await status(secret), await status(rotated["key"])) == (401, 200)
    assert (rotated["name"], rotated["rep_id"]) == ("Sync", api.reps["r1"])
    overlapping = await api.post(f"/v1/api_keys/{rotated['id']}:rotate", {"overlap_seconds": 60})
    assert (await status(rotated["key"]), await status(overlapping.json()["key"])) == (200, 200)
    revoked = await api.post(f"/v1/api_keys/{overlapping.json()['id']}:revoke")
    assert revoked.json()["revoked_at"] is not None
    assert await status(overlapping.json()["key"]) == 401
    assert code(await api.post(f"/v1/api_keys/{body['id']}:rotate")) == (409, "key_revoked")
    assert code(await api.send("DELETE", f"/v1/api_keys/{body['id']}"))[0] == 405


async def test_a_retry_never_shows_the_secret_again(api: Api) -> None:
    headers = {"idempotency-key": "make"}
    asked = {"name": "Once", "role": "analyst"}
    first = (await api.post("/v1/api_keys", asked, headers=headers)).json()
    again = await api.post("/v1/api_keys", asked, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first | {"key": None}
    async with api.company.database.transaction(api.company.id) as session:
        kept = await session.connection.fetchval(
            "select convert_from(body, 'utf8') from idempotency_keys where key = 'make'"
        )
    assert first["key"] not in kept


async def test_a_key_gives_away_no_more_than_it_has(api: Api) -> None:
    scopes = ("api_keys:write", "accounts:read")
    asked: dict[str, Any] = {"name": "X", "role": "admin"}
    for wanted in ([], ["accounts:write"], ["*:read"]):
        refused = await api.post("/v1/api_keys", asked | {"scopes": wanted}, scopes=scopes)
        assert code(refused) == (403, "scope_too_wide")
    assert (
        await api.post("/v1/api_keys", asked | {"scopes": ["accounts:read"]}, scopes=scopes)
    ).status_code == 201
    for wrong in (
        {"role": "king"},
        {"scopes": ["everything"]},
        {"expires_at": "soon"},
        {"x": 1},
    ):
        assert code(await api.post("/v1/api_keys", asked | wrong))[0] == 422
    assert code(await api.post("/v1/api_keys", asked | {"rep_id": "crm:nobody"}))[0] == 404
    assert code(await api.post("/v1/api_keys", asked, role="manager", rep="boss")) == (403, "forbidden")
    soon = (datetime.now().astimezone() - timedelta(seconds=1)).isoformat()
    late = (await api.post("/v1/api_keys", asked | {"expires_at": soon})).json()["key"]
    assert (await api.client.get("/v1/me", headers={"authorization": f"Bearer {late}"})).status_code == 401


async def test_users_are_an_ordinary_noun(api: Api) -> None:
    made = await api.post(
        "/v1/users?expand=rep", {"name": "Una", "email": "u@example.com", "role": "rep", "rep_id": "crm:r1"}
    )
    assert made.json()["rep"]["name"] == "Rep 1"
    twice = await api.post("/v1/users", {"name": "Two", "email": "U@example.com", "role": "rep"})
    assert code(twice) == (409, "duplicate")
    key = (
        await api.post("/v1/api_keys", {"name": "Una's", "role": "rep", "user_id": made.json()["id"]})
    ).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    assert (await api.client.get("/v1/me", headers=headers)).json()["user"]["name"] == "Una"
    await api.patch(f"/v1/users/{made.json()['id']}", {"active": False})
    assert (await api.client.get("/v1/me", headers=headers)).status_code == 401


async def test_the_pages_without_a_key_ask_no_foreign_host(empty: Api) -> None:
    links = (await empty.client.get("/")).json()
    for name in ("docs", "openapi", "schema"):
        response = await empty.client.get(links[name])
        assert response.status_code == 200, name
        assert response.text
    page = await empty.client.get("/docs")
    assert "://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/docs/static/swagger-ui.css", "/docs/static/swagger-ui-bundle.js", "/docs/start.js"):
        assert (await empty.client.get(path)).status_code == 200
    assert (await empty.client.get("/docs/static/../__init__.py")).status_code == 404
    assert (await empty.client.get("/openapi.json")).json()["openapi"] == "3.1.0"
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await empty.client.get(path)).status_code == 200


async def test_counters_name_routes_and_never_ids(api: Api) -> None:
    await api.get("/v1/opportunities/crm:d1")
    counted = (await api.client.get("/metrics")).text
    assert 'route="/v1/opportunities/{id}"' in counted
    assert "crm:d1" not in counted


@pytest.mark.parametrize("path", ["/v1/me", "/graphql", "/openapi.json", "/nothing"])
async def test_every_face_stands_behind_the_same(empty: Api, path: str) -> None:
    page = {"Origin": "http://localhost:3000", "X-Request-Id": "mine"}
    answer = await empty.client.get(path, headers=page)
    assert answer.headers["access-control-allow-origin"] == page["Origin"]
    assert answer.headers["x-request-id"] == "mine"
    long = await empty.client.post(path, headers=page | {"Content-Length": "9" * 20})
    assert (long.status_code, long.json()["code"]) == (413, "too_large")


async def test_every_face_is_logged_with_its_caller_and_route(empty: Api) -> None:
    key = {"Authorization": f"Bearer {await empty.company.key()}"}
    with capture_logs() as logs:
        await empty.client.get("/v1/opportunities/00000000-0000-0000-0000-000000000000", headers=key)
        await empty.client.post("/graphql", json={"query": "{ me { role } }"}, headers=key)
        await empty.client.get("/v1/opportunities", headers={"Authorization": "Bearer no"})
    lines = [(x["route"], x["status"], x["tenant"], x["key"] is not None) for x in logs]
    tenant = str(empty.company.id)
    assert lines == [
        ("/v1/opportunities/{id}", 404, tenant, True),
        ("/graphql", 200, tenant, True),
        ("/v1/opportunities", 401, None, False),
    ]
