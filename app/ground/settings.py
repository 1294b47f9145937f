"""Everything that a deployment may set, by environment variables that begin with ATTAIN_."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCALHOST = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"


class Issuer(BaseModel):
    """An identity provider whose tokens are accepted: how they are verified, and whom they mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    """Word for word as `iss` has it."""
    jwks_url: str
    audience: str | list[str] = Field(min_length=1)
    """One of `aud` must be one of these."""
    algorithms: list[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
    ] = Field(default=["RS256"], min_length=1)
    types: list[str] = ["JWT", "at+jwt"]
    """Of the header `typ`; an empty text lets in tokens without one."""

    tenant: UUID | None = None
    """Whose users all its tokens are …"""
    tenant_claim: str | None = None
    """… or which claim holds the tenant's id; then this provider is believed about every tenant."""

    source: str = Field(default="oidc", pattern=r"^[a-z0-9_]+$")
    """A user is found by the external id `source:subject`, else by e-mail."""
    subject_claim: str = "sub"
    email_claim: str = "email"
    role_claim: str | None = None
    """Without it the role is that of the user's row."""
    roles: dict[str, Literal["admin", "manager", "rep", "analyst", "integration"]] = {}
    """What the claim says -> our role, the first that is named; without it the claim holds our roles."""
    scope_claim: str | None = None
    """Narrows the role to those of its words that are our scopes."""
    provision: bool = False
    """Make a user of whoever comes with a good token and is none yet."""
    default_role: Literal["admin", "manager", "rep", "analyst", "integration"] = "rep"

    @model_validator(mode="after")
    def _one_tenant(self) -> Issuer:
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("say either `tenant` or `tenant_claim`")
        return self


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ATTAIN_", env_file=None, extra="ignore")

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(".attain")
    """Where the embedded PostgreSQL and the demo's key live. Unused when `database_url` is given, but for the key."""

    database_url: str | None = None
    """A PostgreSQL 18 of your own; its role migrates. Without it the embedded server is started."""

    app_database_url: str | None = None
    """How the service itself logs in; without it the owner's URL with the role `attain_app` set at connect."""

    pool_size: int = 10
    pool_timeout_seconds: float = 1.0
    statement_timeout_ms: int = 10_000
    """For single records, pages and writes."""
    metric_statement_timeout_ms: int = 30_000
    """For numbers and their explanations."""
    bulk_statement_timeout_ms: int = 120_000
    """Upserts, imports, and answers that are streamed."""

    rate_limit: int = Field(default=300_000, ge=1)
    """Requests that a tenant may send in `rate_window_seconds`, to each process."""
    rate_window_seconds: int = Field(default=60, ge=1)
    tenant_requests_at_once: int = Field(default=128, ge=1)
    """Of one tenant, being answered or waiting for a connection; more are refused with 429."""
    requests_at_once: int = Field(default=1024, ge=1)
    """Of all tenants; more are refused with 503."""
    bulk_at_once: int = Field(default=4, ge=1)
    """Bulk requests whose body may be in memory at the same time; others wait. One tenant has at most half."""
    tenant_streams: int = Field(default=100, ge=1)
    """Event streams that a tenant may have open, to each process; more are refused with 429."""
    wrong_keys_per_minute: int = Field(default=600, ge=1)
    """From one address, before it is answered 429 without a look-up."""

    max_body_bytes: int = 10 * 1024 * 1024
    max_bulk_body_bytes: int = 100 * 1024 * 1024
    cors_origins: Annotated[list[str], NoDecode] = []
    """Origins whose pages may call, by comma. `attain serve --demo` lets in every page of this machine besides."""

    cors_origin_pattern: str | None = None
    """A regular expression for further origins."""
    allow_introspection: bool = True
    graphiql: bool = True

    graphql_max_bytes: int = 16 * 1024
    """Of a GraphQL document; its variables are bounded by the body's limit alone. What these limits mean, and why:
    `docs/decisions/0007-graphql-without-fear.md`."""

    graphql_max_tokens: int = 1_000
    graphql_max_depth: int = 20
    graphql_max_aliases: int = 50
    graphql_max_directives: int = 20
    graphql_max_fields: int = 500
    graphql_max_cost: int = 5_000
    """Rows that the selections of one operation may reach, the pages along each path multiplied."""

    graphql_documents: Literal["any", "trusted"] = "any"
    """Whether callers may send documents of their own, or only name those of `graphql_trusted_documents`."""

    graphql_trusted_documents: Path | None = None
    """A JSON object from the SHA-256 of each trusted document to its text; `attain documents` writes it."""

    run_worker: bool = True
    """Whether `attain serve` also does what is due. Set it to false where `attain worker` runs beside the service."""

    job_heartbeat_seconds: float = 10.0
    """How long a job may stand still before another worker takes it for left behind."""

    max_import_bytes: int = 10 * 1024 * 1024 * 1024
    file_hours: int = 24
    """How long the file of an export is kept, and an upload that nobody finishes."""

    operation_days: int = 30
    idempotency_key_hours: int = 24

    log_level: str = "INFO"
    log_format: str = "json"
    drain_seconds: float = 0.0
    """How long `/readyz` answers 503 before the listener closes; a load balancer needs a few seconds."""

    principal_cache_seconds: float = 5.0

    oidc_issuers: list[Issuer] = []
    """Identity providers, as a JSON array of objects (docs/access.md)."""
    oidc_allow_loopback: bool = False
    """Fetch keys from this machine too, also without TLS: for development and tests."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        return [x.strip() for x in value.split(",") if x.strip()] if isinstance(value, str) else value


@lru_cache
def get_settings() -> Settings:
    return Settings()
