"""What is asked of both, and how their answers are told to be the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson

from app.ground.database.embedded import SUPERUSER, Embedded
from benchmarks.company import Company
from benchmarks.load import Requests, request
from benchmarks.postgraphile import questions
from benchmarks.services import Service

GRAPHQL = """
query Deals($owner: ID!, $stage: ID!) {
  opportunities(filter: {ownerId: {eq: $owner}, stageId: {eq: $stage}}, sort: [EXPECTED_CLOSE_ON_ASC], first: 50) {
    nodes {
      id name amount currency amountHome category type salesChannel leadSource openedAt expectedCloseOn closedAt
      probability forecastCategory nextStep stageEnteredAt daysInStage pushCount version
      account { id name industry country }
      owner { id name email }
    }
  }
}
"""

_OF_EACH_WRITE = frozenset({"id", "opened_at", "stage_entered_at", "created_at", "updated_at"})

NAMES = ("list", "graphql", "one", "create")


class Differ(Exception):
    """The two answer differently, so a comparison of their speed would be void."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    title: str
    service: Requests
    yardstick: Requests
    comparable: Callable[[Any], Any]
    """What of an answer must be alike in both."""
    peer: Requests | None = None
    """The same asked of PostGraphile, where it can be."""


async def cases(server: Embedded, company: Company) -> list[Case]:
    dice = random.Random(20)
    key = company.manager_key
    owners = dice.sample(company.owners, min(200, len(company.owners)))
    deals = await _deals(server, company)
    dice.shuffle(deals)
    stage = company.stage_id
    tenant = company.tenant_id

    def peer(document: str) -> Requests:
        return _turns([questions.asked(document, tenant, owner, stage) for owner in owners])

    listed = [f"filter&owner={owner}&stage={stage}" for owner in owners]
    bodies = [_deal(company, dice.choice(owners), *dice.choice(deals), number) for number in range(200)]
    return [
        Case(
            "list", "REST list of 50 by owner and stage, sorted by close date, account and owner expanded",
            _turns([
                request("GET", f"/v1/opportunities?owner_id={owner}&stage_id={stage}&sort=expected_close_on"
                        "&limit=50&expand=account,owner", key=key)
                for owner in owners
            ]),
            _turns([request("GET", f"/list?{asked}") for asked in listed]),
            lambda answer: answer["data"],
            peer(questions.WHOLE),
        ),
        Case(
            "graphql", "the same in GraphQL, 19 fields and two parents",
            _turns([
                request("POST", "/graphql", key=key, body=orjson.dumps(
                    {"query": GRAPHQL, "variables": {"owner": str(owner), "stage": str(stage)}}))
                for owner in owners
            ]),
            _turns([request("GET", f"/graphql?{asked}") for asked in listed]),
            lambda answer: answer["data"],
            peer(questions.NODES),
        ),
        Case(
            "one", "one by id",
            _turns([request("GET", f"/v1/opportunities/{id_}", key=key) for id_, _ in deals]),
            _turns([request("GET", f"/one/{id_}") for id_, _ in deals]),
            lambda answer: answer,
        ),
        Case(
            "create", "create one, with Idempotency-Key",
            lambda n: request("POST", "/v1/opportunities", key=key, body=bodies[n % len(bodies)],
                              headers=f"Idempotency-Key: {uuid4()}\r\n"),
            lambda n: request("POST", "/create", body=bodies[n % len(bodies)]),
            lambda answer: {k: v for k, v in answer.items() if k not in _OF_EACH_WRITE},
        ),
    ]  # fmt: skip


def _turns(requests: Sequence[bytes]) -> Requests:
    return lambda n: requests[n % len(requests)]


async def _deals(server: Embedded, company: Company) -> list[tuple[UUID, UUID]]:
    """Deals that the manager sees, with their accounts."""
    reader = await asyncpg.connect(server.url(SUPERUSER))
    try:
        rows = await reader.fetch(
            "select id, account_id from opportunities where tenant_id = $1 and owner_id = any($2)"
            " and deleted_at is null order by hashtext(id::text) limit 5000",
            company.tenant_id,
            company.owners,
        )
    finally:
        await reader.close()
    return [(row["id"], row["account_id"]) for row in rows]


def _deal(company: Company, owner: UUID, _: UUID, account: UUID, number: int) -> bytes:
    return orjson.dumps(
        {
            "name": f"New deal {number}", "account_id": str(account), "owner_id": str(owner),
            "pipeline_id": str(company.pipeline_id), "stage_id": str(company.stage_id),
            "amount": 1200 + number * 7.5, "currency": "EUR" if number % 10 == 0 else "USD",
            "type": "new_business", "lead_source": "referral", "expected_close_on": "2030-03-31",
        }
    )  # fmt: skip


def demand_same(case: Case, service: Service, yardstick: Service, times: int = 20) -> None:
    """Raises Differ where the first answers are not equal as JSON values, or hold nothing."""
    with httpx.Client(timeout=30) as client:
        for number in range(times):
            ours = case.comparable(_sent(client, service, case.service(number)))
            theirs = case.comparable(_sent(client, yardstick, case.yardstick(number)))
            if ours != theirs or not ours:
                raise Differ(f"{case.title}, request {number}: {_difference(ours, theirs)}")


def demand_same_rows(case: Case, service: Service, peer: Service, times: int = 20) -> None:
    """The same of PostGraphile, whose answers have another form."""
    assert case.peer is not None
    with httpx.Client(timeout=60) as client:
        for number in range(times):
            ours = case.comparable(_sent(client, service, case.service(number)))
            rows = ours["opportunities"]["nodes"] if isinstance(ours, dict) else ours
            theirs = _sent(client, peer, case.peer(number))["data"]["deals"]["nodes"]
            one, other = questions.alike(rows), questions.alike(theirs)
            if one != other or not one:
                raise Differ(f"{case.title}, request {number} of PostGraphile: {_difference(one, other)}")


def _sent(client: httpx.Client, service: Service, raw: bytes) -> Any:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith(("Host", "Content-Length")))
    response = client.request(
        method, f"http://127.0.0.1:{service.port}{target}", headers=headers, content=body or None
    )
    if response.status_code // 100 != 2:
        raise Differ(f"{response.status_code}: {response.text[:2000]}")
    return orjson.loads(response.content)


def _difference(ours: Any, theirs: Any, at: str = "") -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in {*ours, *theirs}:
            if ours.get(name, "absent") != theirs.get(name, "absent"):
                return _difference(ours.get(name, "absent"), theirs.get(name, "absent"), f"{at}/{name}")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            if pair[0] != pair[1]:
                return _difference(*pair, f"{at}/{index}")
    return f"at {at or '/'}: {str(ours)[:500]} and {str(theirs)[:500]}"
