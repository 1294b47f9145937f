"""Everything that a deployment may set, by environment variables that begin with ATTAIN_."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import field_validator
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
    bulk_statement_timeout_ms: int = 120_000

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
