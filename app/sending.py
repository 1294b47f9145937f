"""Sending a file to a service: begin an import, upload in pieces that outlive a broken line, wait, tell the outcome.

Over HTTP like every other caller, so it needs an address and a key and nothing of the server's, and what it may do is
what the key may do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from app.ground.errors import AttainError, Invalid, Unavailable

PIECE = 8 * 1024 * 1024
_TRIES = 8
_FINAL = ("succeeded", "failed", "cancelled")


class Sender:
    """`told` hears of each operation as it goes on."""

    def __init__(
        self, url: str, key: str, told: Callable[[dict[str, Any]], None], *, pause: float = 0.5
    ) -> None:
        self.client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=120, trust_env=False
        )
        self.told = told
        self.pause = pause

    def begin(self, asked: dict[str, Any]) -> str:
        return self._answered("POST", "/v1/imports", json=asked).json()["id"]

    def upload(self, operation_id: str, path: Path) -> None:
        """From wherever the service says that it is."""
        total, content = path.stat().st_size, f"/v1/imports/{operation_id}/content"
        if total == 0:
            self._answered("PUT", content, content=b"")
            return
        answer = self._answered("PUT", content, headers={"content-range": f"bytes */{total}"})
        with path.open("rb") as file:
            while answer.status_code == 308:
                begin = _received(answer)
                file.seek(begin)
                piece = file.read(PIECE)
                range_ = f"bytes {begin}-{begin + len(piece) - 1}/{total}"
                answer = self._answered("PUT", content, content=piece, headers={"content-range": range_})
                self.told(self.get(operation_id))

    def get(self, operation_id: str) -> dict[str, Any]:
        return self._answered("GET", f"/v1/operations/{operation_id}").json()

    def wait(self, operation_id: str) -> dict[str, Any]:
        while True:
            found = self.get(operation_id)
            self.told(found)
            if found["state"] in _FINAL:
                return found
            time.sleep(self.pause)

    def errors(self, operation_id: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._answered(
                "GET", f"/v1/operations/{operation_id}/errors", params={"limit": "1000"} | _cursor(cursor)
            ).json()
            yield from page["data"]
            cursor = page["next_cursor"]

    def _answered(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Again where nobody answers or the service asks for patience; a piece that came already is left out there."""
        problem: Exception | None = None
        for attempt in range(_TRIES):
            try:
                answer = self.client.request(method, path, **more)
            except httpx.TransportError as error:
                problem = error
            else:
                if answer.status_code not in (429, 503):
                    return _good(answer)
                problem = _refusal(answer)
            time.sleep(self.pause * 2**attempt / 4)
        raise Unavailable(f"The service does not answer: {problem}", code="no_service")


def _cursor(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _received(answer: httpx.Response) -> int:
    found = answer.headers.get("range", "")
    return int(found.rpartition("-")[2]) + 1 if found else 0


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 400:
        raise _refusal(answer)
    return answer


def _refusal(answer: httpx.Response) -> AttainError:
    try:
        body = answer.json()
        said = "; ".join(f"{x['pointer']}: {x['message']}" for x in body["errors"]) or body["detail"]
        return Invalid(said, code=body["code"])
    except (ValueError, KeyError, TypeError):
        return Invalid(f"The service answered {answer.status_code}.", code="unexpected_answer")
