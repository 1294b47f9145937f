"""`/livez`, `/readyz` and `/metrics`: for the machines that watch over the service, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import JSONResponse, Response

from app.ground.database.session import Database
from app.ground.errors import Unavailable

_PING_SECONDS = 1.0


class _Pool(Collector):
    def __init__(self, database: Database) -> None:
        self.database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        open_, idle = self.database.counts()
        connections = GaugeMetricFamily(
            "attain_database_connections", "Connections of the pool.", labels=["state"]
        )
        connections.add_metric(["idle"], idle)
        connections.add_metric(["busy"], open_ - idle)
        yield connections


@dataclass
class Health:
    """One service's state and counters. `draining` turns `/readyz` to 503 while requests are still served."""

    database: Database
    draining: bool = False
    registry: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))

    def __post_init__(self) -> None:
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.registry.register(_Pool(self.database))
        ProcessCollector(registry=self.registry)
        # Labels are route templates and never paths: their number is bounded, and no id or key ends up in them.
        self.requests = Counter(
            "attain_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "attain_http_request_seconds",
            "Time to the end of the answer.",
            ["method", "route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "attain_http_requests_in_flight", "Requests being answered.", registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one request; no seconds are of one that took none worth telling. What its labels lead to is kept: to
        look it up costs more than to count."""
        labels = (method, route, status)
        known = self._children.get(labels)
        if known is None:
            known = self._children[labels] = (
                self.requests.labels(method, route, str(status)),
                self.seconds.labels(method, route),
            )
        known[0].inc()
        if seconds is not None:
            known[1].observe(seconds)

    async def fault(self) -> str | None:
        """Why no new requests should come here; None where they may."""
        if self.draining:
            return "draining"
        try:
            async with asyncio.timeout(_PING_SECONDS), self.database.connection() as connection:
                await connection.execute("select 1")
        except Unavailable as refusal:
            return refusal.code
        except Exception:
            return "database_unreachable"
        return None


def router(health: Health) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> Response:
        return JSONResponse({"status": "alive"})

    @routes.get("/readyz")
    async def readyz() -> Response:
        fault = await health.fault()
        headers = {"Cache-Control": "no-store"}
        if fault is None:
            return JSONResponse({"status": "ready"}, headers=headers)
        return JSONResponse({"status": fault}, 503, {**headers, "Retry-After": "1"})

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(
            generate_latest(health.registry), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return routes
