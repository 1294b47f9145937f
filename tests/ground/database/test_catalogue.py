"""The catalogue itself, asked whether any table forgot its tenant. One test for every table there will ever be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from app.ground.database.session import Database
from tests.conftest import Company

ELSEWHERE = {"public": {"alembic_version"}, "control": {"tenants"}}
"""Tables that are about tenants, not inside one."""


@pytest_asyncio.fixture(scope="module")
async def catalogue(owner_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(owner_url)
    yield connection
    await connection.close()


_TABLES = """
select c.oid, n.nspname as schema, c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       pg_get_userbyid(c.relowner) as owner,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) as own
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'jobs')
  and n.nspname !~ '^pg_'
"""


async def test_every_table_belongs_to_a_tenant(catalogue: asyncpg.Connection) -> None:
    tables = await catalogue.fetch(_TABLES)
    assert len(tables) > 10
    strangers = {(t["schema"], t["name"]) for t in tables if not t["own"]}
    assert strangers == {(schema, name) for schema, names in ELSEWHERE.items() for name in names}


async def test_every_table_forces_its_policy(catalogue: asyncpg.Connection) -> None:
    tables = [t for t in await catalogue.fetch(_TABLES) if t["own"]]
    assert [t["name"] for t in tables if not (t["enabled"] and t["forced"])] == []


async def test_every_table_has_one_policy_for_reading_and_writing(catalogue: asyncpg.Connection) -> None:
    policies = await catalogue.fetch(
        """
        select c.relname as name, p.polname, p.polcmd::text as command, p.polpermissive as permissive, p.polroles,
               pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check
        from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public'
        """
    )
    tables = {t["name"] for t in await catalogue.fetch(_TABLES) if t["own"]}
    assert sorted(p["name"] for p in policies) == sorted(tables)
    own = "(tenant_id = (current_setting('app.tenant_id'::text))::uuid)"
    for policy in policies:
        found = (
            policy["command"],
            policy["permissive"],
            list(policy["polroles"]),
            policy["using"],
            policy["check"],
        )
        assert found == ("*", True, [0], own, own), policy["name"]


async def test_every_key_begins_with_the_tenant(catalogue: asyncpg.Connection) -> None:
    constraints = await catalogue.fetch(
        """
        select c.relname as table, k.conname as name, k.contype::text as kind,
               (select a.attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1]) as first,
               (select a.attname from pg_attribute a where a.attrelid = k.confrelid and a.attnum = k.confkey[1])
                 as first_there, k.confdeltype::text as on_delete
        from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and k.contype in ('p', 'u', 'f') and c.relname <> 'alembic_version'
        """
    )
    assert [c["name"] for c in constraints if c["first"] != "tenant_id"] == []
    references = [c for c in constraints if c["kind"] == "f"]
    assert [c["name"] for c in references if c["first_there"] != "tenant_id"] == []
    # SET NULL would null the tenant as well, and distributed engines refuse it.
    assert [c["name"] for c in references if c["on_delete"] in "nd"] == []


async def test_every_index_begins_with_the_tenant(catalogue: asyncpg.Connection) -> None:
    indexes = await catalogue.fetch(
        """
        select i.indexrelid::regclass::text as name, a.attname as first
        from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
        left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where n.nspname = 'public' and c.relname <> 'alembic_version'
        """
    )
    assert [i["name"] for i in indexes if i["first"] != "tenant_id"] == []


async def test_there_are_no_triggers_and_no_views(catalogue: asyncpg.Connection) -> None:
    triggers = await catalogue.fetch(
        "select n.nspname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
        " join pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal"
    )
    assert {t["nspname"] for t in triggers} <= {"jobs"}, "only the queue's own tables have one"
    assert (
        await catalogue.fetchval(
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('v', 'm') and n.nspname in ('public', 'control')"
        )
        == 0
    )


async def test_the_services_role_can_bypass_nothing(catalogue: asyncpg.Connection) -> None:
    role = await catalogue.fetchrow("select * from pg_roles where rolname = 'attain_app'")
    assert role is not None
    assert not any(
        role[name] for name in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
    )
    memberships = "select count(*) from pg_auth_members where member = 'attain_app'::regrole"
    assert await catalogue.fetchval(memberships) == 0
    assert {t["owner"] for t in await catalogue.fetch(_TABLES)} == {"attain_owner"}
    assert not await catalogue.fetchval("select has_schema_privilege('attain_app', 'public', 'create')")


async def test_the_services_role_has_no_dangerous_privilege(catalogue: asyncpg.Connection) -> None:
    granted = await catalogue.fetch(
        """
        select n.nspname || '.' || c.relname as name, g.privilege_type as privilege, g.is_grantable
        from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) g
        where g.grantee in (0, 'attain_app'::regrole) and n.nspname in ('public', 'control') and c.relkind in ('r', 'p')
        """
    )
    assert {g["privilege"] for g in granted} <= {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert not any(g["is_grantable"] for g in granted)
    assert {g["privilege"] for g in granted if g["name"] == "control.tenants"} == {"SELECT", "UPDATE"}
    assert {g["privilege"] for g in granted if g["name"] == "public.events"} == {"SELECT", "INSERT"}


async def test_without_a_tenant_nothing_answers(app_url: str, tenant: Company) -> None:
    connection = await asyncpg.connect(app_url)
    try:
        with pytest.raises(asyncpg.UndefinedObjectError):
            await connection.fetch("select * from users")
    finally:
        await connection.close()


async def test_the_policy_stands_where_the_predicate_was_forgotten(
    database: Database, tenant: Company, owner_url: str
) -> None:
    await tenant.key()
    async with database.transaction(tenant.id) as session:
        tenants = await session.connection.fetch("select distinct tenant_id from api_keys")
        assert [row["tenant_id"] for row in tenants] == [tenant.id]
        assert [row["id"] for row in await session.connection.fetch("select id from control.tenants")] == [
            tenant.id
        ]
    owner = await asyncpg.connect(owner_url)
    try:
        with pytest.raises(asyncpg.UndefinedObjectError):
            await owner.fetch("select * from api_keys")
    finally:
        await owner.close()
