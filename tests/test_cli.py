"""The commands as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.areas import CATALOGUE
from app.ground.access.keys import authenticate
from app.ground.access.models import users
from app.ground.database.session import Database
from app.language.resources import write

Attain = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def attain(new_database: Callable[[], tuple[str, str]], tmp_path: Path) -> Attain:
    return command_of(new_database()[0], tmp_path)


def command_of(database_url: str, folder: Path) -> Attain:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"ATTAIN_DATABASE_URL": database_url, "ATTAIN_DATA_DIR": str(folder)}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ATTAIN_")}
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**inherited, **given, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


async def test_a_new_tenants_key_is_the_last_word(
    attain: Attain, database: Database, owner_url: str, tmp_path: Path
) -> None:
    done = command_of(owner_url, tmp_path)(
        "tenants", "create", "Köln & Söhne", "--timezone", "Europe/Berlin", "--currency", "eur"
    )
    assert done.returncode == 0, done.stderr
    key = done.stdout.split()[-1]
    assert done.stdout == f"{key}\n"
    assert key not in done.stderr
    principal = await authenticate(database, key)
    tenant = principal.tenant
    assert (tenant.name, tenant.timezone, tenant.home_currency) == ("Köln & Söhne", "Europe/Berlin", "EUR")
    assert principal.role == "admin"


@pytest.mark.parametrize(
    "arguments", [("X", "--timezone", "Mars/Base"), ("X", "--currency", "XXQ"), ("",), ("x" * 201,)]
)
def test_a_tenant_that_cannot_be_is_refused_in_a_sentence(attain: Attain, arguments: tuple[str, ...]) -> None:
    done = attain("tenants", "create", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


async def test_keys_for_roles_and_reps(database: Database, owner_url: str, tmp_path: Path) -> None:
    attain = command_of(owner_url, tmp_path)
    admin = await authenticate(database, attain("tenants", "create", "Keys").stdout.strip())
    tenant = admin.tenant_id
    async with database.transaction(tenant) as session:
        rows = [
            {"external_id": "005A", "name": "Rep A", "email": "Rep-A@x.example"},
            {"external_id": "005B", "name": "Rep B", "manager_id": "salesforce:005A"},
        ]
        boss, rep = [
            (await write.upsert(session, admin, CATALOGUE, CATALOGUE["reps"], "salesforce", [row]))[0].id
            for row in rows
        ]

    async def made(*arguments: str) -> tuple[str, object]:
        done = attain("keys", "create", "--tenant", str(tenant), *arguments)
        assert done.returncode == 0, done.stderr
        principal = await authenticate(database, done.stdout.strip())
        return principal.role, principal.rep_id

    assert await made("--role", "analyst") == ("analyst", None)
    assert await made("--as", "salesforce:005B") == ("rep", rep)
    assert await made("--as", str(rep)) == ("rep", rep)
    assert await made("--as", "rep-a@x.example") == ("manager", boss)
    assert await made("--as", "Rep A", "--role", "rep", "--scope", "opportunities:read", "--days", "3") == (
        "rep",
        boss,
    )
    for refused in (("--as", "Nobody"), ("--role", "root"), ("--role", "rep", "--scope", "everything")):
        done = attain("keys", "create", "--tenant", str(tenant), *refused)
        assert (done.returncode, done.stdout) == (1, "")
    assert attain("keys", "create", "--tenant", str(tenant)).returncode == 2
    async with database.transaction(tenant) as session:
        assert await session.fetch(users.select().where(users.c.tenant_id == tenant)) == []


def test_migrating_twice(attain: Attain) -> None:
    done = attain("migrate")
    assert (done.returncode, done.stderr.strip()) == (0, "Nothing to migrate.")


def test_stopping_nothing(attain: Attain) -> None:
    done = attain("stop")
    assert (done.returncode, done.stderr.strip()) == (0, "Nothing was running.")


def test_a_setting_that_cannot_be_is_named(attain: Attain) -> None:
    done = attain("stop", ATTAIN_PORT="eighty")
    assert done.returncode == 1
    assert "ATTAIN_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody:secret@127.0.0.1:1/none", "mysql://x@y/z", "postgresql://me@/none?host=/nowhere"],
)
def test_a_database_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, url: str) -> None:
    done = command_of(url, tmp_path)("migrate")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
