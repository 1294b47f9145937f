"""The surplus of a tenant is refused before anything is done for it: a refusal that costs as much as an answer would
leave nothing for the answers. So there is no request yet, no task and no routing, only a head and what is written back.
"""

from __future__ import annotations

import time
from random import getrandbits

import orjson
import structlog

from app.faces.rest import problems
from app.faces.rest.health import Health
from app.ground.access.admission import POLICY, RATE
from app.ground.access.gate import Gate
from app.ground.errors import TooManyRequests

_LOG_SECONDS = 1.0
_METHODS = {x.encode(): x for x in ("GET", "POST", "PUT", "PATCH", "DELETE")}

_log = structlog.get_logger("attain.access")
_REFUSAL = TooManyRequests(
    "Too many of your requests are being answered already; wait for some of them.", code="too_many_at_once"
)


def _answer() -> bytes:
    """With places for the server's own header lines, for the request's id and for what is left of the allowance."""
    body = orjson.dumps(problems.problem(_REFUSAL, "%s")).replace(b"%", b"%%").replace(b"%%s", b"%032x")
    length = len(body) - 5 + 32
    return b"".join(
        (
            b"HTTP/1.1 429 Too Many Requests\r\n%s",
            b"content-type: application/problem+json\r\nretry-after: 1\r\n",
            b"content-length: %d\r\nx-request-id: %%032x\r\n" % length,
            b"%s: %%s\r\n%s: %%s\r\n\r\n" % (POLICY, RATE),
            body,
        )
    )


_ANSWER = _answer()


class Surplus:
    """One line of log a second says how many there were."""

    def __init__(self, gate: Gate, health: Health) -> None:
        self.gate = gate
        self.health = health
        self._count = 0
        self._told_at = 0.0

    @property
    def pressed(self) -> bool:
        return self.gate.database.queue.waiting > 0

    def refusal(self, method: bytes, authorization: bytes, own: bytes) -> bytes | None:
        """The whole answer as it goes over the wire, with the server's `own` header lines; None where the request goes
        on: also where the service drains."""
        allowance = self.gate.surplus(authorization)
        if allowance is None or method not in _METHODS or self.health.draining:
            return None
        self._tell()
        self.health.answered(_METHODS[method], "unmatched", 429, None)
        request_id = getrandbits(128)
        policy, rate = allowance.values()
        return _ANSWER % (own, request_id, policy, rate, request_id)

    def _tell(self) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._told_at >= _LOG_SECONDS:
            _log.warning("surplus_refused", count=self._count)
            self._told_at, self._count = now, 0
