"""A file of records or numbers: written of one moment, opened by a link, read in ranges, and taken in again."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pyarrow.parquet as pq
import pytest
import pytest_asyncio
import time_machine

from app.ground.settings import Settings
from app.language.files import links, sweep, writers
from tests.faces.rest.conftest import Api, code
from tests.faces.rest.working import at_work, ended, imported


@pytest_asyncio.fixture(scope="module")
async def worker(settings: Settings) -> AsyncIterator[None]:
    async with at_work(settings):
        yield


pytestmark = pytest.mark.usefixtures("worker")


async def exported(api: Api, who: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    begun = await api.post("/v1/exports", asked, **(who or {}))
    assert begun.status_code == 202, begun.text
    done = await ended(api, begun.json()["id"], **(who or {}))
    assert done["state"] == "succeeded", done["problem"]
    return done["result"]


async def content(api: Api, result: dict[str, Any], **headers: str) -> httpx.Response:
    """Without a key: the link is enough."""
    return await api.client.get(result["url"], headers=headers)


async def test_a_file_holds_what_the_list_shows(api: Api) -> None:
    listed = await api.data("/v1/opportunities?sort=id&limit=200&category=open", role="rep", rep="r1")
    who = {"role": "rep", "rep": "r1"}
    asked: dict[str, Any] = {"noun": "opportunities", "filter": {"category": "open"}}
    lines = await content(api, await exported(api, who, **asked, format="ndjson"))
    assert [orjson.loads(x) for x in lines.text.splitlines()] == listed
    result = await exported(api, who, **asked, columns=["id", "amount", "account.name"], sort=["-amount"])
    assert result["rows"] == len(listed)
    rows = list(csv.DictReader(io.StringIO((await content(api, result)).text)))
    assert [x["id"] for x in rows] == [x["id"] for x in sorted(listed, key=lambda x: -x["amount"])]
    assert {x["account.name"] for x in rows} == {"Acme", "Globex"}
    past = await exported(api, noun="opportunities", as_of="2026-01-03", columns=["name"])
    assert past["rows"] == 2


async def test_parquet_has_the_types_of_the_fields(api: Api) -> None:
    result = await exported(
        api, noun="opportunities", format="parquet", sort=["name"],
        columns=[
            "name", "amount", "opened_at", "expected_close_on", "push_count", "probability", "team", "account.name",
        ],
    )  # fmt: skip
    table = pq.read_table(io.BytesIO((await content(api, result)).content))
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "name": "string", "amount": "decimal128(38, 4)", "opened_at": "timestamp[us, tz=UTC]",
        "expected_close_on": "date32[day]", "push_count": "int64", "probability": "decimal128(38, 10)",
        "team": "string", "account.name": "string",
    }  # fmt: skip
    first = table.to_pylist()[0]
    assert (first["name"], first["amount"]) == ("Deal 1", Decimal("100.2500"))
    assert first["opened_at"] == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert first["account.name"] == "Acme"


async def test_numbers_are_written_too(api: Api) -> None:
    await api.post("/v1/opportunities/crm:d1:close_won")
    question = {"metrics": ["bookings", "win_rate"], "period": "this_year", "grain": "quarter", "by": ["rep"]}
    rows = (await api.post("/v1/metrics:query", question)).json()["data"]
    result = await exported(api, metrics=question, format="parquet")
    table = pq.read_table(io.BytesIO((await content(api, result)).content)).to_pylist()
    assert len(table) == len(rows) > 1
    assert [x["period_start"] for x in table] == [date.fromisoformat(x["period_start"]) for x in rows]
    assert [None if x["value"] is None else float(x["value"]) for x in table] == [x["value"] for x in rows]
    text = (await content(api, await exported(api, metrics=question))).text
    assert text.startswith("metric,period_start,period_end,rep_id,rep_name,value")
    result = await exported(api, metrics=question | {"shape": "wide"}, format="parquet")
    wide = pq.read_table(io.BytesIO((await content(api, result)).content)).to_pylist()
    told = [x["value"] for x in table if x["metric"] == "bookings"]
    assert [x["bookings"] for x in wide] == told, "a column of numbers"


DANGEROUS = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "＝1",
    "'=1",
    "''=x",
    "'x",
    "x=1",
    'say "so"',
    "a\r\nb",
    "Ä;,",
]


async def test_text_that_a_spreadsheet_would_run_is_kept_from_it_and_comes_back(empty: Api) -> None:
    rows = [{"external_id": f"x{i}", "name": f"{text}."} for i, text in enumerate(DANGEROUS)]
    await empty.upsert("accounts", rows)
    asked: dict[str, Any] = {"noun": "accounts", "columns": ["id", "name"], "sort": ["id"]}
    safe = await content(empty, await exported(empty, **asked))
    cells = [x["name"] for x in csv.DictReader(io.StringIO(safe.text, newline=""))]
    assert not [x for x in cells if x.startswith(tuple("=+-@\t\r＝＋－＠"))]
    raw = await content(empty, await exported(empty, **asked, raw=True))
    meant = [x["name"] for x in csv.DictReader(io.StringIO(raw.text, newline=""))]
    stored = [x["name"] for x in await empty.data("/v1/accounts?sort=id&limit=200")]
    assert meant == stored
    done = await imported(empty, safe.content, mapping={"id": "external_id", "name": "name"})
    assert done["counts"]["created"] == len(stored)
    both = [x["name"] for x in await empty.data("/v1/accounts?sort=created_at,id&limit=200")]
    assert sorted(both) == sorted(stored * 2)


async def test_a_file_is_read_in_ranges(empty: Api) -> None:
    await empty.upsert(
        "accounts", [{"external_id": f"{i}", "name": f"{i} " + "x" * 200} for i in range(6000)]
    )
    result = await exported(empty, noun="accounts", columns=["name"])
    whole = await content(empty, result)
    size = len(whole.content)
    assert size == result["bytes"] > 1024 * 1024, "more than one block"
    assert (whole.headers["content-length"], whole.headers["accept-ranges"]) == (str(size), "bytes")
    assert whole.headers["content-type"].startswith("text/csv")
    tag = whole.headers["etag"]
    head = await empty.client.head(result["url"])
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["content-length"], head.headers["etag"]) == (str(size), tag)
    for range_, first, last in (
        ("bytes=0-0", 0, 0), ("bytes=1048570-1048600", 1_048_570, 1_048_600), ("bytes=-5", size - 5, size - 1),
        (f"bytes={size - 1}-", size - 1, size - 1), (f"bytes=10-{size * 2}", 10, size - 1),
    ):  # fmt: skip
        part = await content(empty, result, range=range_)
        assert part.status_code == 206, range_
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.content == whole.content[first : last + 1]
    beyond = await content(empty, result, range=f"bytes={size}-")
    assert code(beyond) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    for ignored in ("bytes=0-1,4-5", "lines=1-2", "bytes=5-1", "bytes=-"):
        assert (await content(empty, result, range=ignored)).status_code == 200, ignored
    assert (await content(empty, result, **{"range": "bytes=0-1", "if-range": '"other"'})).status_code == 200
    assert (await content(empty, result, **{"if-none-match": tag})).status_code == 304


async def test_a_link_opens_one_file_for_ten_minutes(api: Api) -> None:
    result = await exported(api, noun="accounts", columns=["name"])
    url = result["url"]
    assert "attain_" not in url, "no key in a link"
    for altered in (
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace("expires=", "expires=9"),
        url.replace("tenant=", "tenant=0"),
        url.partition("&signature")[0],
        url.partition("?")[0],
    ):
        assert code(await api.client.get(altered)) == (403, "link_invalid"), altered
    assert code(await api.client.get(url + "&more=1")) == (422, "unknown_parameter")
    with time_machine.travel(datetime.now(UTC).timestamp() + links.SECONDS + 2, tick=True):
        assert code(await api.client.get(url)) == (403, "link_expired")
    assert (await api.client.get(url)).status_code == 200


async def test_the_link_of_a_revoked_key_opens_nothing(empty: Api) -> None:
    result = await exported(empty, {"role": "analyst"}, noun="accounts")
    async with empty.company.database.transaction(empty.company.id) as session:
        await session.connection.execute(
            "update api_keys set revoked_at = now() where tenant_id = $1 and role = 'analyst'",
            empty.company.id,
        )
    assert code(await content(empty, result)) == (403, "access_ended")


@pytest.mark.parametrize(
    ("asked", "status", "pointer"),
    [
        ({}, 422, "/noun"),
        ({"noun": "accounts", "metrics": {}}, 422, "/noun"),
        ({"noun": "acounts"}, 422, "/noun"),
        ({"noun": "accounts", "columns": ["nam"]}, 422, "/columns"),
        ({"noun": "accounts", "filter": {"nam": 1}}, 422, None),
        ({"noun": "accounts", "sort": ["nam"]}, 422, None),
        ({"noun": "products", "as_of": "2999-01-01"}, 422, None),
        ({"metrics": {"metrics": ["bookinks"], "period": "2026"}}, 422, None),
        ({"metrics": {"metrics": ["bookings"]}, "columns": ["x"]}, 422, "/columns"),
        ({"noun": "accounts", "format": "xlsx"}, 422, "/format"),
        ({"noun": "api_keys"}, 403, None),
    ],
)
async def test_a_wrong_question_is_refused_before_any_work(
    empty: Api, asked: dict[str, Any], status: int, pointer: str | None
) -> None:
    answer = await empty.post("/v1/exports", asked, role="manager")
    assert answer.status_code == status, answer.text
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_without_the_extra_parquet_says_what_to_install(
    empty: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "app.language.files.parquet", None)
    assert writers.MEDIA_TYPES["parquet"]
    answer = await empty.post("/v1/exports", {"noun": "accounts", "format": "parquet"})
    assert code(answer) == (422, "extra_not_installed")
    assert "attain[parquet]" in answer.json()["detail"]


async def test_what_is_old_is_swept_away(empty: Api, settings: Settings) -> None:
    database, tenant = empty.company.database, empty.company.id
    result = await exported(empty, noun="accounts")
    await empty.post("/v1/imports", {"noun": "accounts", "source": "s"}, headers={"idempotency-key": "old"})

    async def count(table: str) -> int:
        async with database.transaction(tenant) as session:
            return await session.connection.fetchval(
                f"select count(*) from {table} where tenant_id = $1", tenant
            )

    await sweep.run(database, tenant, settings)
    assert [await count(x) for x in ("idempotency_keys", "export_blocks", "operations")] == [1, 1, 2]
    none = settings.model_copy(update={"idempotency_key_hours": 0, "file_hours": 0})
    await sweep.run(database, tenant, none)
    assert [await count(x) for x in ("idempotency_keys", "export_blocks", "operations")] == [0, 0, 2]
    assert code(await content(empty, result)) == (404, "not_found")
    states = {x["kind"]: (x["state"], x["result"]) for x in await empty.data("/v1/operations")}
    assert states["import"][0] == "cancelled"
    assert "url" not in states["export"][1]
    await sweep.run(database, tenant, none.model_copy(update={"operation_days": 0}))
    assert await count("operations") == 0
