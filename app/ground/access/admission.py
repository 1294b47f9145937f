"""How much of the service a tenant may have: so many requests in a time, so many at once.

One object for both faces, asked after authentication: `enter` counts the request in or refuses it without a wait,
`leave` counts it out. Who is let in then waits its fair turn for a database connection (`database/fair_queue.py`).
The counts are this process's own: several processes each grant the whole limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from uuid import UUID

from app.ground.access.principal import Limits, Tenant
from app.ground.database.fair_queue import FairQueue
from app.ground.errors import TooManyRequests, Unavailable

_MOST_TENANTS = 10_000
RATE = b"ratelimit"
POLICY = b"ratelimit-policy"


class Allowance:
    """One tenant's: a bucket of `quota` requests that fills within `window` seconds, those in flight, and those that
    are `coming`: their heads have been seen in this turn of the loop, and they enter in the next.

    Its headers are those of the IETF's draft "RateLimit header fields for HTTP", as structured fields.
    """

    __slots__ = ("_at", "_left", "_policy", "at_once", "coming", "in_flight", "limits", "quota", "rate")

    def __init__(self, limits: Limits, quota: int, window: int, at_once: int) -> None:
        self.in_flight = 0
        self.coming = 0
        self._left = float(quota)
        self._at = time.monotonic()
        self.change(limits, quota, window, at_once)

    def change(self, limits: Limits, quota: int, window: int, at_once: int) -> None:
        self.limits = limits
        self.quota = quota
        self.at_once = at_once
        self.rate = quota / window
        self._left = min(self._left, float(quota))
        self._policy = (
            f'"requests";q={quota};w={window}, "at-once";q={at_once};qu="concurrent-requests"'.encode()
        )

    def take(self) -> None:
        now = time.monotonic()
        left = self._left + (now - self._at) * self.rate
        self._at = now
        if left > self.quota:
            left = float(self.quota)
        self._left = left
        if left < 1:
            raise TooManyRequests(
                f"More than {self.quota} requests were sent in the last while.",
                headers={"Retry-After": str(math.ceil((1 - left) / self.rate))},
            )
        if self.in_flight >= self.at_once:
            raise TooManyRequests(
                f"{self.at_once} requests are being answered already; wait for one of them.",
                code="too_many_at_once",
                headers={"Retry-After": "1"},
            )
        self._left = left - 1
        self.in_flight += 1

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        filled = self._left + (time.monotonic() - self._at) * self.rate
        return self.in_flight == 0 and filled >= self.quota

    def headers(self) -> list[tuple[bytes, bytes]]:
        policy, rate = self.values()
        return [(POLICY, policy), (RATE, rate)]

    def values(self) -> tuple[bytes, bytes]:
        left = int(self._left)
        full = math.ceil((self.quota - self._left) / self.rate)
        free = max(0, self.at_once - self.in_flight)
        return self._policy, b'"requests";r=%d;t=%d, "at-once";r=%d' % (left, full, free)


class Admission:
    """`at_once` bounds the whole process; a tenant's own limits may say less or more than what each has.

    `connections` learns each tenant's weight from here.
    """

    __slots__ = (
        "_allowances", "_coming", "at_once", "connections", "each_at_once", "each_quota", "in_flight", "window",
    )  # fmt: skip

    def __init__(
        self,
        *,
        quota: int,
        window: int,
        each_at_once: int,
        at_once: int,
        connections: FairQueue | None = None,
    ) -> None:
        self.each_quota = quota
        self.window = window
        self.each_at_once = each_at_once
        self.at_once = at_once
        self.connections = connections
        self.in_flight = 0
        self._allowances: dict[UUID, Allowance] = {}
        self._coming: list[Allowance] = []

    def enter(self, tenant: Tenant) -> Allowance:
        """Raises TooManyRequests where the tenant has too much, Unavailable where everybody together has."""
        allowance = self._allowances.get(tenant.id)
        if allowance is None or (allowance.limits is not tenant.limits and allowance.limits != tenant.limits):
            allowance = self._learn(tenant)
        if self.in_flight >= self.at_once:
            raise Unavailable("The service has more to do than it can.", code="overloaded")
        allowance.take()
        self.in_flight += 1
        return allowance

    def surplus(self, tenant_id: UUID) -> Allowance | None:
        """The tenant's allowance, where one more request of it would be refused for what it has in flight; None where
        it comes in. Asked once for each head.

        A loop that is pressed finds dozens of heads at a turn. None of them is in flight yet: were those before it not
        counted, all would come in, and nearly all be refused where that is dear.
        """
        allowance = self._allowances.get(tenant_id)
        if allowance is None:
            return None
        coming = allowance.coming
        if allowance.in_flight + coming >= allowance.at_once:
            return allowance
        if self.connections is not None and self.connections.is_hopeless(tenant_id, coming):
            return allowance
        if not self._coming:
            asyncio.get_running_loop().call_soon(self._have_come)
        self._coming.append(allowance)
        allowance.coming += 1
        return None

    def _have_come(self) -> None:
        for allowance in self._coming:
            allowance.coming = 0
        self._coming.clear()

    def leave(self, allowance: Allowance) -> None:
        self.in_flight -= 1
        allowance.in_flight -= 1

    def _learn(self, tenant: Tenant) -> Allowance:
        limits = tenant.limits
        quota, at_once = limits.requests or self.each_quota, limits.at_once or self.each_at_once
        if self.connections is not None:
            self.connections.lane(tenant.id).weight = limits.weight
        known = self._allowances.get(tenant.id)
        if known is not None:
            known.change(limits, quota, self.window, at_once)
            return known
        if len(self._allowances) >= _MOST_TENANTS:
            self._allowances = {key: x for key, x in self._allowances.items() if not x.idle}
        made = self._allowances[tenant.id] = Allowance(limits, quota, self.window, at_once)
        return made
