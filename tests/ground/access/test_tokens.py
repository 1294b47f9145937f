"""Tokens of an identity provider: which are taken, for whom, and that no other one ever is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import insert, update

from app.ground.access import jwks
from app.ground.access.gate import Gate
from app.ground.access.jwks import checked
from app.ground.access.models import users
from app.ground.database.session import Database
from app.ground.database.tables import external_ids
from app.ground.errors import Invalid, Unauthorized, Unavailable
from app.ground.settings import Issuer, Settings
from app.main import create_app
from tests.conftest import Company
from tests.ground.access.provider import ISSUER, Provider, part


@pytest_asyncio.fixture
async def provider(tenant: Company) -> AsyncIterator[Provider]:
    made = Provider(tenant.id)
    made.add("one")
    async with made.serving():
        yield made


@pytest.fixture
def enter(database: Database, settings: Settings, provider: Provider) -> Callable[..., Gate]:
    def make(*issuers: Issuer, cache: float = 0, **changes: Any) -> Gate:
        given = {
            "oidc_issuers": list(issuers) or [provider.issuer(**changes)],
            "oidc_allow_loopback": True,
            "principal_cache_seconds": cache,
        }
        return Gate(database, settings.model_copy(update=given))

    return make


async def user(company: Company, subject: str | None = "user-1", **values: Any) -> Any:
    async with company.database.transaction(company.id) as session:
        own = {"tenant_id": company.id, "name": "Ada", "role": "manager"} | values
        user_id = await session.fetchval(insert(users).values(own).returning(users.c.id))
        if subject:
            await session.execute(
                insert(external_ids).values(
                    tenant_id=company.id, noun="users", source="idp", external_id=subject, record_id=user_id
                )
            )
    return user_id


async def asked(gate: Gate, token: str) -> Any:
    return await gate.authenticate(f"Bearer {token}", "192.0.2.1")


async def refusal(gate: Gate, token: str) -> str:
    began = time.perf_counter()
    with pytest.raises(Unauthorized) as refused:
        await asked(gate, token)
    assert time.perf_counter() - began < 1
    assert refused.value.status == 401
    return refused.value.code


async def test_a_good_token_is_its_user(enter: Any, provider: Provider, tenant: Company) -> None:
    user_id = await user(tenant)
    provider.add("curve", "EC")
    gate = enter()
    for token in (
        provider.token(),
        provider.token("curve", algorithm="ES256"),
        provider.token(aud=["x", "attain"]),
    ):
        principal = await asked(gate, token)
        assert (principal.user_id, principal.tenant_id, principal.role) == (user_id, tenant.id, "manager")
        assert (principal.name, principal.key_id, principal.scopes) == ("Ada", None, frozenset())
    assert provider.fetches == 1


BAD: dict[str, Callable[[Provider], str]] = {
    "alg none": lambda p: f"{part({'alg': 'none', 'kid': 'one', 'typ': 'JWT'})}.{part(p.claims())}.",
    "alg None in capitals": lambda p: f"{part({'alg': 'NONE', 'kid': 'one', 'typ': 'JWT'})}.{part(p.claims())}.",
    "signed with the public key's PEM": lambda p: confused(p, p.pem("one")),
    "signed with the public key's JWK": lambda p: confused(p, json.dumps(p.jwk("one")).encode()),
    "an algorithm that is not pinned": lambda p: p.token(algorithm="RS512"),
    "another kind of key than its algorithm": lambda p: resigned(p, {"alg": "ES256", "kid": "one", "typ": "JWT"}),
    "wrong audience": lambda p: p.token(aud="another"),
    "no audience": lambda p: p.token(aud=None),
    "wrong issuer": lambda p: p.token(iss="https://evil.example.com/"),
    "issuer without its slash": lambda p: p.token(iss=ISSUER.rstrip("/")),
    "no issuer": lambda p: p.token(iss=None),
    "issuer of another type": lambda p: resigned(p, claims={"iss": [ISSUER]}),
    "expired": lambda p: p.token(exp=int(time.time()) - 60),
    "no expiry": lambda p: p.token(exp=None),
    "an expiry that is no number": lambda p: resigned(p, claims=p.claims(exp="soon")),
    "an expiry without end": lambda p: resigned(p, claims=json.dumps(p.claims()).replace(
        '"exp": ', '"exp": 1e400, "x": ').encode()),
    "not yet": lambda p: p.token(nbf=int(time.time()) + 600),
    "issued in the future": lambda p: p.token(iat=int(time.time()) + 600),
    "wrong typ": lambda p: p.token(headers={"typ": "dpop+jwt"}),
    "no typ": lambda p: resigned(p, {"alg": "RS256", "kid": "one"}),
    "no kid": lambda p: resigned(p, {"alg": "RS256", "typ": "JWT"}),
    "kid of another type": lambda p: resigned(p, {"alg": "RS256", "typ": "JWT", "kid": ["one"]}),
    "unknown kid": lambda p: p.token(headers={"kid": "two"}),
    "a path for a kid": lambda p: p.token(headers={"kid": "../../etc/passwd"}),
    "jwk": lambda p: p.token(headers={"jwk": p.jwk("one")}),
    "jku": lambda p: p.token(headers={"jku": p.jwks_url}),
    "x5u": lambda p: p.token(headers={"x5u": p.jwks_url}),
    "crit": lambda p: resigned(p, {"alg": "RS256", "kid": "one", "typ": "JWT", "crit": ["exp"]}),
    "b64=false": lambda p: resigned(p, {"alg": "RS256", "kid": "one", "typ": "JWT", "b64": False}),
    "another's signature": lambda p: signed_by(p, rsa.generate_private_key(65537, 2048)),
    "one bit of the claims": lambda p: flipped(p.token(), 1),
    "one bit of the signature": lambda p: flipped(p.token(), 2),
    "no signature": lambda p: p.token().rpartition(".")[0] + ".",
    "500 KB": lambda p: p.token(more="x" * 500_000),
    "9 KB": lambda p: p.token(more="x" * 6_500),
    "nested": lambda p: resigned(p, claims=b'{"iss":' + b"[" * 3000),
    "no JSON": lambda p: "a.b.c",
    "claims that are a list": lambda p: resigned(p, claims=[1]),
    "no subject": lambda p: p.token(sub=None),
    "a subject with a NUL": lambda p: p.token(sub="a\x00b"),
    "an empty subject": lambda p: p.token(sub=""),
}  # fmt: skip


def confused(provider: Provider, secret: bytes) -> str:
    """The public key taken for a shared secret."""
    signing = f"{part({'alg': 'HS256', 'kid': 'one', 'typ': 'JWT'})}.{part(provider.claims())}"
    return f"{signing}.{part(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"


def resigned(
    provider: Provider, header: dict[str, Any] | None = None, claims: Any = None, by: str = "one"
) -> str:
    """Signed well, whatever it says: only what is in it can be what it is refused for."""
    given = header or {"alg": "RS256", "kid": "one", "typ": "JWT"}
    signing = f"{part(given)}.{part(provider.claims() if claims is None else claims)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{signing}.{part(algorithm.sign(signing.encode(), provider.keys[by]))}"


def signed_by(provider: Provider, key: Any) -> str:
    return jwt.encode(provider.claims(), key, algorithm="RS256", headers={"kid": "one"})


def flipped(token: str, which: int) -> str:
    parts = token.split(".")
    text = parts[which]
    parts[which] = text[:20] + ("A" if text[20] != "A" else "B") + text[21:]
    return ".".join(parts)


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_401(enter: Any, provider: Provider, tenant: Company, name: str) -> None:
    await user(tenant)
    gate = enter()
    await asked(gate, provider.token())
    assert await refusal(gate, BAD[name](provider)) in ("invalid_token", "invalid_key")
    assert (await asked(gate, provider.token())).tenant_id == tenant.id


async def test_bad_tokens_are_refused_quickly(enter: Any, provider: Provider, tenant: Company) -> None:
    await user(tenant)
    gate = enter()
    await asked(gate, provider.token())
    await refusal(gate, provider.token(headers={"kid": "two"}))
    tokens = [make(provider) for make in BAD.values()]
    seconds = []
    for token in tokens:
        began = time.perf_counter()
        with pytest.raises(Unauthorized):
            await asked(gate, token)
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[len(seconds) // 2] < 0.02


async def test_a_flood_of_unknown_keys_fetches_once(enter: Any, provider: Provider, tenant: Company) -> None:
    await user(tenant)
    gate = enter()
    token = provider.token()
    await asked(gate, token)
    unknown = [provider.token(headers={"kid": f"k{n}"}) for n in range(50)]
    began = time.perf_counter()
    refused = 0
    for _ in range(20):
        for outcome in await asyncio.gather(*(asked(gate, x) for x in unknown), return_exceptions=True):
            assert isinstance(outcome, Unauthorized), outcome
            refused += 1
        assert (await asked(gate, token)).tenant_id == tenant.id
    assert refused == 1000
    assert time.perf_counter() - began < 25
    assert provider.fetches == 1


async def test_a_key_that_appears_is_found_by_its_first_token(
    enter: Any, provider: Provider, tenant: Company, later: Callable[[float], None]
) -> None:
    await user(tenant)
    gate = enter()
    await asked(gate, provider.token())
    later(60)
    provider.add("two")
    many = await asyncio.gather(*(asked(gate, provider.token(kid)) for kid in ("one", "two") * 20))
    assert len(many) == 40
    assert provider.fetches == 2
    old = provider.token("one")
    del provider.keys["one"]
    later(jwks.REFRESH + 1)
    await asked(gate, provider.token("two"))
    while provider.fetches < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert await refusal(gate, old) == "invalid_token"
    assert (await asked(gate, provider.token("two"))).tenant_id == tenant.id
    assert provider.fetches == 3


async def test_known_keys_outlive_an_outage(
    enter: Any, provider: Provider, tenant: Company, later: Callable[[float], None]
) -> None:
    await user(tenant)
    gate = enter()
    await asked(gate, provider.token())
    provider.up = False
    for _ in range(12):
        later(600)
        assert (await asked(gate, provider.token())).tenant_id == tenant.id
        await asyncio.sleep(0.01)
    assert await refusal(gate, provider.token(headers={"kid": "two"})) == "invalid_token"
    later(jwks.KEEP)
    with pytest.raises(Unavailable) as refused:
        await asked(gate, provider.token())
    assert refused.value.headers == {"Retry-After": "30"}
    provider.up = True
    later(31)
    assert (await asked(gate, provider.token())).tenant_id == tenant.id


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * 300_000 + b'{"keys":[]}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"keys":[]}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["redirect", "endless", "no keys", "no document", "fault"],
)
async def test_an_answer_that_is_no_key_set_changes_nothing(
    enter: Any, provider: Provider, tenant: Company, answer: bytes, later: Callable[[float], None]
) -> None:
    await user(tenant)
    gate = enter()
    provider.answer = answer
    with pytest.raises(Unavailable):
        await asked(gate, provider.token())
    provider.answer = None
    later(31)
    await asked(gate, provider.token())
    provider.answer = answer
    later(jwks.REFRESH + 1)
    await asked(gate, provider.token())
    await asyncio.sleep(0.05)
    assert (await asked(gate, provider.token())).tenant_id == tenant.id


async def test_keys_that_must_not_verify_do_not(enter: Any, provider: Provider, tenant: Company) -> None:
    await user(tenant)
    provider.add("short", bits=1024)
    provider.add("encrypting")
    provider.extra_keys = [{"kty": "oct", "kid": "shared", "k": part(b"secret" * 8), "alg": "HS256"}]
    tokens = [
        resigned(provider, {"alg": "RS256", "kid": "short", "typ": "JWT"}, by="short"),
        jwt.encode(provider.claims(), b"secret" * 8, "HS256", {"kid": "shared"}),
    ]
    encrypting = provider.token("encrypting")
    provider.extra_keys.append(provider.jwk("encrypting") | {"use": "enc"})
    del provider.keys["encrypting"]
    gate = enter()
    await asked(gate, provider.token())
    for token in (*tokens, encrypting):
        assert await refusal(gate, token) == "invalid_token"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://id.example.com/keys", True),
        ("http://id.example.com/keys", False),
        ("https://user:pass@id.example.com/keys", False),
        ("https://127.0.0.1/keys", False),
        ("http://localhost:1/keys", False),
        ("http://[::1]/keys", False),
        ("file:///etc/passwd", False),
        ("https:///keys", False),
        ("gopher://id.example.com/", False),
    ],
)
def test_where_keys_may_come_from(url: str, allowed: bool) -> None:
    if allowed:
        assert checked(url, allow_loopback=False) == url
        return
    with pytest.raises(Invalid):
        checked(url, allow_loopback=False)
    if "127.0.0.1" in url or "localhost" in url:
        assert checked(url, allow_loopback=True) == url


async def test_who_is_nobody_here(
    enter: Any, provider: Provider, tenant: Company, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    gate = enter(
        tenant_claim="org", role_claim="groups", roles={"sales-leads": "manager"}, scope_claim="scope"
    )
    theirs = await make_tenant("theirs")
    await user(tenant, email="ada@example.com")
    good = {"org": str(tenant.id), "groups": ["x", "sales-leads"], "scope": "openid opportunities:read"}
    principal = await asked(gate, provider.token(**good))
    assert (principal.role, principal.scopes) == ("manager", {"opportunities:read"})
    changes: tuple[dict[str, Any], ...] = (
        {"sub": "another"},
        {"org": str(theirs.id)},
        {"org": str(uuid4())},
        {"org": "x"},
        {"org": None},
        {"groups": ["admin"]},
        {"groups": None},
        {"scope": "openid profile"},
        {"scope": None},
    )
    for changed in changes:
        assert await refusal(gate, provider.token(**good | changed)) in ("invalid_token", "unknown_user")
    async with tenant.database.transaction(tenant.id) as session:
        await session.execute(update(users).where(users.c.tenant_id == tenant.id).values(active=False))
    assert await refusal(gate, provider.token(**good)) == "unknown_user"


async def test_an_address_finds_whom_the_provider_has_not_named(
    enter: Any, provider: Provider, tenant: Company
) -> None:
    gate = enter()
    named = await user(tenant, "user-1", email="named@example.com")
    unnamed = await user(tenant, None, email="Ada@example.com")
    assert (await asked(gate, provider.token(sub="new", email="ada@example.com"))).user_id == unnamed
    assert (await asked(gate, provider.token(sub="user-1", email="ada@example.com"))).user_id == named
    others: tuple[dict[str, Any], ...] = (
        {"sub": "new", "email": "named@example.com"},
        {"sub": "new", "email": "ada@example.com", "email_verified": False},
        {"sub": "new"},
    )
    for claims in others:
        assert await refusal(gate, provider.token(**claims)) == "unknown_user"


async def test_a_newcomer_is_made_once(enter: Any, provider: Provider, tenant: Company) -> None:
    gate = enter(provision=True, default_role="analyst")
    await user(tenant, "known", email="taken@example.com")
    token = provider.token(sub="fresh", name="Grace", email="grace@example.com")
    many = await asyncio.gather(*(asked(gate, token) for _ in range(8)))
    assert {(x.name, x.role) for x in many} == {("Grace", "analyst")}
    assert len({x.user_id for x in many}) == 1
    async with tenant.database.transaction(tenant.id) as session:
        count = "select count(*) from users where tenant_id = $1"
        assert await session.connection.fetchval(count, tenant.id) == 2
        told = "select count(*) from events where tenant_id = $1 and type = 'user.created'"
        assert await session.connection.fetchval(told, tenant.id) == 1
    assert await refusal(gate, provider.token(sub="thief", email="taken@example.com")) == "unknown_user"


async def test_one_issuer_one_key_set(
    enter: Any, provider: Provider, tenant: Company, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    """A key of one provider signs nothing in the name of the other."""
    theirs = await make_tenant("theirs")
    other = Provider(theirs.id)
    other.add("two")
    await user(tenant)
    await user(theirs)
    async with other.serving():
        second = other.issuer(issuer="https://other.example.com/")
        gate = enter(provider.issuer(), second)
        assert (await asked(gate, provider.token())).tenant_id == tenant.id
        assert (await asked(gate, other.token("two", iss=second.issuer))).tenant_id == theirs.id
        assert await refusal(gate, other.token("two")) == "invalid_token"
        assert await refusal(gate, provider.token(iss=second.issuer)) == "invalid_token"


async def test_a_cached_token_does_not_outlive_its_expiry(
    enter: Any, provider: Provider, tenant: Company
) -> None:
    await user(tenant)
    gate = enter(cache=60)
    # Three seconds short of the ten that clocks may differ by: to fetch the keys takes its time.
    expiry = int(time.time()) - 7
    token = provider.token(exp=expiry)
    await asked(gate, token)
    await asyncio.sleep(expiry + 10.1 - time.time())
    assert await refusal(gate, token) == "invalid_token"


async def test_without_a_provider_no_token_is_taken(
    database: Database, settings: Settings, provider: Provider
) -> None:
    assert await refusal(Gate(database, settings), provider.token()) == "invalid_key"


async def test_both_faces_take_tokens(
    database: Database, settings: Settings, provider: Provider, tenant: Company
) -> None:
    await user(tenant, role="admin")
    given = {"oidc_issuers": [provider.issuer()], "oidc_allow_loopback": True}
    transport = httpx.ASGITransport(create_app(settings.model_copy(update=given), database))
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        own = {"authorization": f"Bearer {provider.token()}"}
        assert (await client.get("/v1/me", headers=own)).json()["user"]["name"] == "Ada"
        asked = {"query": "{ me { user { name } } }"}
        answer = await client.post("/graphql", json=asked, headers=own)
        assert answer.json()["data"]["me"]["user"]["name"] == "Ada"
        made = [
            await client.post("/v1/accounts", json={"name": "X"}, headers=own | {"Idempotency-Key": "k"})
            for _ in range(2)
        ]
        assert [x.status_code for x in made] == [201, 201]
        assert made[1].headers["idempotency-replayed"] == "true"
        wrong = {"authorization": f"Bearer {provider.token(aud='x')}"}
        for refused in (
            await client.get("/v1/me", headers=wrong),
            await client.post("/graphql", headers=wrong),
        ):
            assert refused.status_code == 401
            assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_an_issuer_says_whose_its_users_are(provider: Provider) -> None:
    given = {"issuer": ISSUER, "jwks_url": "https://x/", "audience": "a"}
    for wrong in (
        {},
        {"tenant": str(uuid4()), "tenant_claim": "org"},
        {"tenant_claim": "o", "algorithms": ["HS256"]},
    ):
        with pytest.raises(ValueError, match=r"tenant|algorithms"):
            Issuer.model_validate(given | wrong)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the key set's clock."""
    ahead = 0.0
    monkeypatch.setattr(jwks, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    return move
