"""kill -9 at six points of a request with an Idempotency-Key, and its retry: one effect, one answer ever after."""

from __future__ import annotations

import signal
from typing import Any

import httpx
import pytest

from app.ground import crash
from tests.kills.import_kills import Victim

NAMED = tuple(f"{point} named" for point in crash.POINTS)
"""A record with a name at a source: its request is several statements, in a transaction that ends with COMMIT."""
ALONE = ("after_claim alone", "after_effect alone", "before_commit alone")
"""One without: all of it is stored by one statement, a transaction by itself, which has ended before these points."""
PRESUMED = ("after_effect presumed", "before_commit presumed")
"""The same by a process that has made one before, and so does not look first."""
COMMITTED = (
    "after_commit named",
    "before_response named",
    "after_effect alone",
    "before_commit alone",
    *PRESUMED,
)


def create(made: Victim, case: str) -> httpx.Response:
    body: dict[str, Any] = {"name": f"crash {case}"}
    if case in NAMED:
        body["external_ids"] = [{"source": "crash", "external_id": case}]
    return made.ask("/v1/accounts", "POST", json=body, headers={"idempotency-key": f"key {case}"})


def one_effect(made: Victim, case: str) -> dict[str, Any]:
    [record] = made.ask("/v1/accounts", params={"name": f"crash {case}"}).json()["data"]
    events = made.ask("/v1/events?types=account.created&limit=1000").json()["data"]
    assert [x["record_id"] for x in events].count(record["id"]) == 1
    versions = made.ask(f"/v1/accounts/{record['id']}/history").json()["data"]
    assert len(versions) == 1
    return record


def test_a_crash_anywhere_leaves_one_effect_and_the_first_answer(made: Victim) -> None:
    for case in (*NAMED, *ALONE, *PRESUMED):
        assert made.process is not None
        made.process.kill()
        made.process.wait()
        made.environment["ATTAIN_CRASH_AT"] = case.partition(" ")[0]
        made.start()
        if case in PRESUMED:
            # Without a key, so that it passes no point.
            assert made.ask("/v1/accounts", "POST", json={"name": "before"}).status_code == 201
        with pytest.raises(httpx.TransportError):
            create(made, case)
        assert made.process.wait(10) == -signal.SIGKILL, f"died at {case}"
    del made.environment["ATTAIN_CRASH_AT"]
    made.start()
    for case in (*NAMED, *ALONE, *PRESUMED):
        left = made.ask("/v1/accounts", params={"name": f"crash {case}"}).json()["data"]
        assert len(left) == (case in COMMITTED), case
        retry = create(made, case)
        assert retry.status_code == 201, retry.text
        assert ("idempotency-replayed" in retry.headers) == (case in COMMITTED), case
        record = one_effect(made, case)
        assert retry.json() == record
        # Whatever becomes of the record, the answer is the one of then.
        changed = made.ask(f"/v1/accounts/{record['id']}", "PATCH", json={"industry": "retail"})
        assert changed.status_code == 200
        again = create(made, case)
        assert (again.json(), again.headers["idempotency-replayed"]) == (retry.json(), "true")
        assert again.json()["version"] == 1
