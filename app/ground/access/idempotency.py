"""Idempotency-Key: the first answer, frozen, for every retry of the same request.

Key, effect and answer are one transaction, so a crash leaves all of them or none. A retry that comes while the first
is still running is told so at once, by an advisory lock that it does not wait for: waiting would fill the pool with
one impatient client's retries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app.ground import crash
from app.ground.access.principal import Principal
from app.ground.database import lists
from app.ground.database.script import Part
from app.ground.database.session import Session
from app.ground.errors import Conflict, Invalid


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    replayed: bool = False


class Answered(Exception):
    """The key was used for this very request before."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


# Both in one message. A first request that ends just between the look and the lock goes unseen; the second then fails
# at the key itself, and is run again (`database/retry.py`).
_LOOK = """
select json_build_object(
    'free', pg_try_advisory_xact_lock($4), 'route', k.route, 'body_hash', encode(k.body_hash, 'hex'),
    'status', k.status, 'headers', k.headers, 'body', convert_from(k.body, 'UTF8')
) from (select 1) one left join idempotency_keys k on k.tenant_id = $1 and k.caller = $2 and k.key = $3
"""
_TAKEN = """
not pg_try_advisory_xact_lock($4)
or exists (select from idempotency_keys where tenant_id = $1 and caller = $2 and key = $3)
"""
_ANY_TAKEN = """
exists (select from unnest((select $4::text::bigint[])) n where not pg_try_advisory_xact_lock(n))
or exists (
    select from idempotency_keys where tenant_id = $1 and caller = $2 and key = any ((select $3::text::text[])::text[])
)
"""
_HOLD = "select pg_try_advisory_xact_lock($1) as free"
_KEEP = """
insert into idempotency_keys (tenant_id, caller, key, route, body_hash, status, headers, body)
select $1::uuid, $2::text, $3::text, $4::text, $5::bytea, $6::smallint, $7::jsonb, {body}
"""
_WITH_BODY = _KEEP.format(body="$8::bytea")
_WITH_ANSWER = _KEEP.format(body="convert_to(answer.json::text, 'UTF8') from answer")
_WITH_ANSWERS = """
insert into idempotency_keys (tenant_id, caller, key, route, body_hash, status, headers, body)
select $1, $2, x.key, x.route, decode(x.body_hash, 'hex'), x.status, x.headers::jsonb,
       convert_to(answer.json::text, 'UTF8')
from unnest((select $3::text::uuid[]), (select $4::text::text[]), (select $5::text::text[]),
            (select $6::text::text[]), (select $7::text::smallint[]), (select $8::text::text[]))
     x(id, key, route, body_hash, status, headers)
join answer on answer.id = x.id
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is to be ours until the transaction ends: what the first request answers is kept under it.

    `question` is asked first, and `hear` judges what it told. Where it was asked outside of the transaction that
    stores, `hold` goes into the statement that does: retries that look while that one runs are then told so.
    """

    tenant_id: UUID
    caller: str
    key: str
    route: str
    body_hash: bytes

    @property
    def question(self) -> Part:
        """A select of one JSON value."""
        return Part(_LOOK, [self.tenant_id, self.caller, self.key, self.number])

    def hear(self, told: str) -> None:
        """Raises Answered where the request was answered before, Conflict while it is, Invalid for another request."""
        found = orjson.loads(told)
        if not found["free"]:
            raise Conflict(
                "The first request with this Idempotency-Key is still running.",
                code="idempotency_in_flight",
                headers={"Retry-After": "1"},
            )
        if found["status"] is not None:
            if found["route"] != self.route or found["body_hash"] != self.body_hash.hex():
                raise Invalid(
                    "This Idempotency-Key was used for another request; take a new one.",
                    code="idempotency_key_reused",
                )
            raise Answered(Answer(found["status"], found["headers"], found["body"].encode(), replayed=True))
        crash.point("after_claim")

    @property
    def hold(self) -> Part:
        return Part(_HOLD, [self.number], "held")

    @property
    def taken(self) -> Part:
        """A condition: that the key is not free. Where it is, it is held from here on."""
        return Part(_TAKEN, [self.tenant_id, self.caller, self.key, self.number])

    async def keep(self, session: Session, status: int, headers: Mapping[str, str], body: bytes) -> None:
        await session.connection.execute(_WITH_BODY, *self.arguments(status, headers), body)

    def arguments(self, status: int, headers: Mapping[str, str]) -> list[Any]:
        return [
            self.tenant_id, self.caller, self.key, self.route, self.body_hash, status, dict(headers)
        ]  # fmt: skip

    @property
    def number(self) -> int:
        name = f"{self.tenant_id}/{self.caller}/{self.key}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class Keeping:
    """An answer that is to be kept by the statement that makes its body: from the JSON of another part, `answer`."""

    claim: Claim
    status: int
    headers: Mapping[str, str]

    @property
    def part(self) -> Part:
        return Part(_WITH_ANSWER, self.claim.arguments(self.status, self.headers))


def any_taken(claims: Sequence[Claim]) -> Part:
    """A condition: that one of these keys of one caller is not free. Where all are, they are held from here on."""
    first = claims[0]
    keys = lists.column("text", [x.key for x in claims])
    numbers = lists.column("bigint", [x.number for x in claims])
    return Part(_ANY_TAKEN, [first.tenant_id, first.caller, keys, numbers])


def all_kept(answers: Mapping[UUID, Keeping]) -> Part:
    """Keeps the JSON of `answer (id, json)` for each of one caller's claims, given by the id of its record."""
    first = next(iter(answers.values())).claim
    rows = (
        (
            id_,
            x.claim.key,
            x.claim.route,
            x.claim.body_hash.hex(),
            x.status,
            orjson.dumps(dict(x.headers)).decode(),
        )
        for id_, x in answers.items()
    )
    columns = (lists.column("text", x) for x in zip(*rows, strict=True))
    return Part(_WITH_ANSWERS, [first.tenant_id, first.caller, *columns])


def claim(principal: Principal, key: str, route: str, body_hash: bytes) -> Claim:
    """`route` is method and path with its ids."""
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Invalid.field(
            "?Idempotency-Key", "length", "An Idempotency-Key has 1 to 255 visible ASCII characters."
        )
    crash.point("before_claim")
    return Claim(principal.tenant_id, caller_of(principal), key, route, body_hash)


async def take(session: Session, claim: Claim) -> None:
    """The key for ourselves, from now to the end of the transaction; raises as `Claim.hear`."""
    [row] = await session.connection.fetch(claim.question.sql, *claim.question.arguments)
    claim.hear(row[0])


async def purge(session: Session, older_than: timedelta) -> int:
    """Forget the tenant's answers that nobody will ask for again; how many they were."""
    done = await session.connection.execute(
        "delete from idempotency_keys where tenant_id = $1 and created_at < now() - $2::interval",
        session.tenant_id,
        older_than,
    )
    return int(done.rpartition(" ")[2])


def caller_of(principal: Principal) -> str:
    """Whose keys these are: one person's retries never meet another's."""
    if principal.user_id is not None:
        return f"user:{principal.user_id}"
    return f"key:{principal.key_id}"
