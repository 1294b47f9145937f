"""The fast yardstick: what a bare server makes of the same questions.

An ASGI function on asyncpg's default pool, logged in as the superuser, hand-written SQL whose JSON PostgreSQL builds.
No authentication, no visibility, no row-level security, no validation, no history, no events. The same rows, the same
fields, the same loop and HTTP parser as the service's.

    python -m benchmarks.yardstick PORT DATABASE_URL TENANT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
import orjson
import uvicorn
import uvloop

_BOOKKEEPING = (
    "coalesce({0}.custom, '{{}}') as custom, "
    "{0}.external_ids, {0}.version, {0}.created_at, {0}.updated_at, {0}.deleted_at"
)

_ACCOUNT = f"""(select row_to_json(a) from (select x.id, x.name, x.parent_id, x.owner_id, x.territory_id, x.industry,
    x.segment, x.employees, x.country, x.website, x.merged_into_id, x.merged_ids, {_BOOKKEEPING.format("x")}
    from accounts x where x.tenant_id = $1 and x.id = o.account_id) a) as account"""

_OWNER = f"""(select row_to_json(r) from (select x.id, x.name, x.email, x.title, x.function, x.manager_id, x.team_id,
    x.territory_id, x.working_calendar_id, x.hired_on, x.left_on, x.status, {_BOOKKEEPING.format("x")}
    from reps x where x.tenant_id = $1 and x.id = o.owner_id) r) as owner"""

_AMOUNT_HOME = """case when o.currency = 'USD' then o.amount else (o.amount * (
    select x.rate from exchange_rates x
    where x.tenant_id = $1 and x.from_currency = o.currency and x.to_currency = 'USD'
    and x.on_day <= (coalesce(o.closed_at, now()) at time zone 'UTC')::date and x.deleted_at is null
    order by x.on_day desc limit 1))::numeric(38, 4) end"""

_DAYS_IN_STAGE = """case when o.category = 'open'
    then floor(extract(epoch from now() - o.stage_entered_at) / 86400)::int end"""

_RECORD = f"""o.id, o.name, o.account_id, o.owner_id, o.pipeline_id, o.stage_id, o.category, o.amount, o.currency,
    {_AMOUNT_HOME} as amount_home, o.type, o.sales_channel, o.lead_source, o.opened_at, o.expected_close_on,
    o.campaign_id, o.price_book_id, o.term_months, o.closed_at, o.booked_on, o.paid_on, o.probability,
    o.forecast_category, o.loss_reason,
    o.competitor, o.next_step, o.credited_owner_id,
    o.stage_entered_at, {_DAYS_IN_STAGE} as days_in_stage, o.push_count, o.last_activity_at, o.next_activity_at,
    {_BOOKKEEPING.format("o")}"""

_WHICH = """from opportunities o where o.tenant_id = $1 and o.owner_id = $2 and o.stage_id = $3 and o.deleted_at is null
    order by o.expected_close_on, o.id limit 50"""

_LIST = f"select json_agg(row_to_json(j))::text from (select {_RECORD}, {_ACCOUNT}, {_OWNER} {_WHICH}) j"

_NODES = f"""select json_agg(row_to_json(j))::text from (select o.id, o.name, o.amount, o.currency,
    {_AMOUNT_HOME} as "amountHome", upper(o.category) as category, upper(o.type) as type,
    o.sales_channel as "salesChannel", o.lead_source as "leadSource", o.opened_at as "openedAt",
    o.expected_close_on as "expectedCloseOn", o.closed_at as "closedAt", o.probability,
    upper(o.forecast_category) as "forecastCategory", o.next_step as "nextStep",
    o.stage_entered_at as "stageEnteredAt", {_DAYS_IN_STAGE} as "daysInStage", o.push_count as "pushCount", o.version,
    (select row_to_json(a) from (select x.id, x.name, x.industry, x.country
        from accounts x where x.tenant_id = $1 and x.id = o.account_id) a) as account,
    (select row_to_json(r) from (select x.id, x.name, x.email
        from reps x where x.tenant_id = $1 and x.id = o.owner_id) r) as owner {_WHICH}) j"""

_ONE = f"""select row_to_json(j)::text from (select {_RECORD} from opportunities o
    where o.tenant_id = $1 and o.id = $2 and o.deleted_at is null) j"""

_CREATE = f"""
with o as (
    insert into opportunities (tenant_id, name, account_id, owner_id, pipeline_id, stage_id, amount, currency, type,
        lead_source, expected_close_on, opened_at, stage_entered_at)
    select $1, x.name, x.account_id, x.owner_id, x.pipeline_id, x.stage_id, x.amount, x.currency, x.type,
        x.lead_source, x.expected_close_on, now(), now()
    from json_to_record($2::json) x (name text, account_id uuid, owner_id uuid, pipeline_id uuid, stage_id uuid,
        amount numeric, currency text, type text, lead_source text, expected_close_on date)
    returning *
) select row_to_json(j)::text from (select {_RECORD} from o) j"""

_HEADERS = [(b"content-type", b"application/json")]


class Yardstick:
    def __init__(self, url: str, tenant: UUID) -> None:
        self.url = url
        self.tenant = tenant
        self.pool: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        status = 200
        if path == "/list":
            body = '{"data":' + await self._rows(_LIST, scope) + "}"
        elif path == "/graphql":
            body = '{"data":{"opportunities":{"nodes":' + await self._rows(_NODES, scope) + "}}}"
        elif path == "/create":
            status, body = 201, await self.pool.fetchval(_CREATE, self.tenant, await _text(receive))
        elif path.startswith("/one/"):
            body = await self.pool.fetchval(_ONE, self.tenant, UUID(path[5:]))
        else:
            status, body = 404, "{}"
        data = body.encode()
        headers = [*_HEADERS, (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _rows(self, sql: str, scope: Any) -> str:
        asked = dict(parse_qsl(scope["query_string"].decode()))
        return await self.pool.fetchval(sql, self.tenant, UUID(asked["owner"]), UUID(asked["stage"])) or "[]"

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.pool = await asyncpg.create_pool(self.url)
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.pool.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _text(receive: Any) -> str:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return orjson.dumps(orjson.loads(b"".join(parts))).decode()


def main(port: str, url: str, tenant: str) -> None:
    config = uvicorn.Config(
        Yardstick(url, UUID(tenant)),
        port=int(port),
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
