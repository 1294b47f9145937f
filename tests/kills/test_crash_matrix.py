"""kill -9 at six points of a request with an Idempotency-Key, and its retry: one effect, and one answer ever after."""

from __future__ import annotations

import signal
from typing import Any

import httpx
import pytest

from app.ground import crash
from tests.kills.import_kills import Victim

COMMITTED = ("after_commit", "before_response")


def create(made: Victim, point: str) -> httpx.Response:
    body = {"name": f"crash {point}", "external_ids": [{"source": "crash", "external_id": point}]}
    return made.ask("/v1/accounts", "POST", json=body, headers={"idempotency-key": f"key {point}"})


def one_effect(made: Victim, point: str) -> dict[str, Any]:
    [record] = made.ask("/v1/accounts", params={"name": f"crash {point}"}).json()["data"]
    events = made.ask("/v1/events?types=account.created&limit=1000").json()["data"]
    assert [x["record_id"] for x in events].count(record["id"]) == 1
    versions = made.ask(f"/v1/accounts/{record['id']}/history").json()["data"]
    assert len(versions) == 1
    return record


def test_a_crash_anywhere_leaves_one_effect_and_the_first_answer(made: Victim) -> None:
    for point in crash.POINTS:
        assert made.process is not None
        made.process.kill()
        made.process.wait()
        made.environment["ATTAIN_CRASH_AT"] = point
        made.start()
        with pytest.raises(httpx.TransportError):
            create(made, point)
        assert made.process.wait(10) == -signal.SIGKILL, f"died at {point}"
    del made.environment["ATTAIN_CRASH_AT"]
    made.start()
    for point in crash.POINTS:
        left = made.ask("/v1/accounts", params={"name": f"crash {point}"}).json()["data"]
        assert len(left) == (point in COMMITTED), point
        retry = create(made, point)
        assert retry.status_code == 201, retry.text
        assert ("idempotency-replayed" in retry.headers) == (point in COMMITTED), point
        assert retry.json() == one_effect(made, point)
        # Whatever becomes of the record, the answer is the one of then.
        assert (
            made.ask(f"/v1/accounts/crash:{point}", "PATCH", json={"industry": "retail"}).status_code == 200
        )
        again = create(made, point)
        assert (again.json(), again.headers["idempotency-replayed"]) == (retry.json(), "true")
        assert again.json()["version"] == 1
