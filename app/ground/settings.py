"""Everything that a deployment may set, by environment variables that begin with ATTAIN_."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCALHOST = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"


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

    log_level: str = "INFO"
    log_format: str = "json"
    drain_seconds: float = 0.0
    """How long `/readyz` answers 503 before the listener closes; a load balancer needs a few seconds."""

    principal_cache_seconds: float = 5.0

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        return [x.strip() for x in value.split(",") if x.strip()] if isinstance(value, str) else value


@lru_cache
def get_settings() -> Settings:
    return Settings()
