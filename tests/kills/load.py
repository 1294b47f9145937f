"""Callers who never pause, and the books of what they were told.

Readers and writers over connections that are kept open, as pools of HTTP clients keep them. An answer with a server
error, a broken connection or a wait of ten seconds is a fault; only where `refusals_allowed` may a request be answered
503 with Retry-After, and then it is sent again as it was, with its Idempotency-Key. At the end the books are compared
with what the service holds: everything acknowledged is there, once, and the feed has told of it once.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.kills.import_kills import Victim

READERS, WRITERS = 4, 4
PAUSE = 0.02
LONGEST_SECONDS = 10.0


class Fault(Exception):
    """What no caller may meet."""


@dataclass
class Load:
    made: Victim
    mark: str
    ready: set[int]
    """Ports that a load balancer would send to now."""
    refusals_allowed: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    created: list[str] = field(default_factory=list)
    """Names of the accounts whose making was acknowledged."""
    changed: Counter[str] = field(default_factory=Counter)
    """How many changes of each writer's own account were acknowledged."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """Events, as somebody heard them who followed the feed all the time."""
    answered: Counter[int] = field(default_factory=Counter)
    refused_at: list[float] = field(default_factory=list)
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        begin = _read(self.made, None)[1]
        work = [*(self._reader for _ in range(READERS)), *(self._writer(n) for n in range(WRITERS))]
        threads = [threading.Thread(target=self._guarded, args=(x,)) for x in [*work, self._follower(begin)]]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        log = (self.made.folder / "service.log").read_text()
        wrong = self.faults + [line for line in log.splitlines() if "unhandled_error" in line]
        assert not wrong, wrong
        self._compare(begin)

    def wait_for(self, more: int) -> None:
        """Until so many more requests were answered well: what is to be disturbed must be under way."""
        goal = self.answered[200] + more
        deadline = time.monotonic() + 60
        while self.answered[200] < goal and not self.faults:
            assert time.monotonic() < deadline, self.answered
            time.sleep(0.01)

    def _guarded(self, work: Callable[[httpx.Client], None]) -> None:
        key = {"authorization": f"Bearer {self.made.key}"}
        try:
            with httpx.Client(headers=key, timeout=2 * LONGEST_SECONDS) as client:
                work(client)
        except Exception as fault:
            self.faults.append(repr(fault))

    def _reader(self, client: httpx.Client) -> None:
        query = {"query": "{ accounts(first: 5) { nodes { name version } } }"}
        while not self.stop.is_set():
            self.send(client, "GET", "/v1/accounts?limit=20&sort=-created_at")
            self._told_in_part(self.send(client, "POST", "/graphql", json=query))
            self.send(client, "GET", "/v1/metrics/query?metric=bookings&period=2026&grain=month")

    def _told_in_part(self, answer: httpx.Response) -> None:
        """A field of GraphQL that fails is told of in an answer that is well otherwise."""
        errors = answer.json().get("errors", [])
        if errors:
            if not self.refusals_allowed or any(x["extensions"]["status"] != 503 for x in errors):
                raise Fault(f"GraphQL: {errors}")
            self.refused_at.append(time.monotonic())

    def _writer(self, n: int) -> Callable[[httpx.Client], None]:
        def work(client: httpx.Client) -> None:
            own = f"{self.mark} writer {n}"
            id_ = self.send(client, "POST", "/v1/accounts", own, json={"name": own}).json()["id"]
            self.created.append(own)
            i = 0
            while not self.stop.is_set():
                i += 1
                name = f"{self.mark} {n} {i}"
                made = self.send(client, "POST", "/v1/accounts", name, json={"name": name}).json()
                self.created.append(name)
                found = self.send(client, "GET", f"/v1/accounts/{made['id']}").json()
                if found != made:
                    raise Fault(f"acknowledged {made}, found {found}")
                self.send(client, "PATCH", f"/v1/accounts/{id_}", f"change {name}", json={"employees": i})
                self.changed[own] = i

        return work

    def _follower(self, begin: str) -> Callable[[httpx.Client], None]:
        def work(client: httpx.Client) -> None:
            cursor = begin
            while not self.stop.is_set():
                page = self.send(client, "GET", f"/v1/events?limit=1000&after={cursor}").json()
                self.told += page["data"]
                cursor = page["next_cursor"] or cursor

        return work

    def send(
        self, client: httpx.Client, method: str, path: str, key: str = "", **more: Any
    ) -> httpx.Response:
        headers = {"idempotency-key": key} if key else {}
        while True:
            port = random.choice(sorted(self.ready))
            began = time.monotonic()
            try:
                answer = client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, **more)
            except httpx.TransportError as error:
                raise Fault(f"{method} {path} on {port}: {error!r}") from error
            now = time.monotonic()
            self.slowest = max(self.slowest, now - began)
            if self.slowest > LONGEST_SECONDS:
                raise Fault(f"{method} {path}: {self.slowest:.1f} s")
            self.answered[200 if answer.is_success else answer.status_code] += 1
            if answer.is_success:
                time.sleep(random.uniform(0, 2 * PAUSE))
                return answer
            self._judge(method, path, answer)
            self.refused_at.append(now)
            time.sleep(PAUSE)

    def _judge(self, method: str, path: str, answer: httpx.Response) -> None:
        shape = "application/json" if path == "/graphql" else "application/problem+json"
        allowed = (
            self.refusals_allowed
            and answer.status_code == 503
            and int(answer.headers.get("retry-after", 0)) >= 1
            and answer.headers["content-type"].startswith(shape)
        )
        if not allowed:
            raise Fault(f"{method} {path}: {answer.status_code} {dict(answer.headers)} {answer.text[:500]}")

    def _compare(self, begin: str) -> None:
        lines = self.made.ask(
            "/v1/accounts?columns=id,name,version,employees",
            params={"name[starts_with]": self.mark},
            headers={"accept": "application/x-ndjson"},
        )
        records = [httpx.Response(200, content=line).json() for line in lines.text.splitlines()]
        assert sorted(x["name"] for x in records) == sorted(self.created), (
            "each one that was acknowledged, once"
        )
        for record in records:
            changes = self.changed[record["name"]]
            assert (record["version"], record["employees"] or 0) == (1 + changes, changes), record
        whole, _ = _read(self.made, begin)
        assert self.told == whole[: len(self.told)], "who follows the feed hears what stands in it"
        mine = {x["id"] for x in records}
        events = Counter((x["record_id"], x["version"]) for x in whole if x["record_id"] in mine)
        assert events == Counter((x["id"], v + 1) for x in records for v in range(x["version"]))


def _read(made: Victim, cursor: str | None) -> tuple[list[dict[str, Any]], str]:
    """The feed from there on, and where it ends."""
    events: list[dict[str, Any]] = []
    while True:
        after = f"&after={cursor}" if cursor else ""
        page = made.ask(f"/v1/events?limit=1000{after}").json()
        events += page["data"]
        cursor = page["next_cursor"] or cursor
        if not page["has_more"]:
            return events, cursor or ""
