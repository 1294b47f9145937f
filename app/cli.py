"""`attain`: the service, its database, its tenants and their keys, from a terminal.

What a command answers goes to the standard output, everything it says about that to the standard error.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from app.ground import logs
from app.ground.database import embedded, locate, migrate
from app.ground.database.locate import Location
from app.ground.database.session import Session, connect
from app.ground.errors import AttainError, Invalid, Unavailable
from app.ground.settings import LOCALHOST, Settings, get_settings

T = TypeVar("T")

cli = typer.Typer(
    name="attain", help="Attain, the sales-performance API.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
tenants_cli = typer.Typer(help="The customers of this service.", no_args_is_help=True)
keys_cli = typer.Typer(help="Their API keys.", no_args_is_help=True)
cli.add_typer(tenants_cli, name="tenants")
cli.add_typer(keys_cli, name="keys")

say = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    try:
        cli()
    except AttainError as refusal:
        say.print(f"[red]{refusal.title}:[/red] {escape(refusal.detail)}")
        sys.exit(1)
    except ValidationError as error:
        for fault in error.errors():
            name = "ATTAIN_" + "_".join(str(part) for part in fault["loc"]).upper()
            say.print(f"[red]{name}:[/red] {escape(fault['msg'])}")
        sys.exit(1)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Wrong host, password, database or right: the driver's sentence says which, and a traceback adds nothing.
        say.print(f"[red]PostgreSQL or the system refused:[/red] {escape(logs.masked(str(error)))}")
        sys.exit(1)


def prepared(settings: Settings) -> Settings:
    logs.configure(settings.log_level, "text" if sys.stderr.isatty() else settings.log_format)
    return settings


@cli.command()
def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill the demo tenant first, where there is none.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (ATTAIN_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (ATTAIN_PORT).")] = None,
) -> None:
    """Serve. Without ATTAIN_DATABASE_URL PostgreSQL is started and migrated as needed."""
    from app import server

    given: dict[str, object] = {
        name: value for name, value in (("host", host), ("port", port)) if value is not None
    }
    if demo and not get_settings().cors_origin_pattern:
        given["cors_origin_pattern"] = LOCALHOST
    settings = prepared(get_settings().model_copy(update=given))
    server.exit_on_terminate()
    with (
        server.bind(settings) as listener,
        server.registered(settings),
        locate.database(settings) as location,
    ):
        if demo:
            _fill_demo(settings, location)
        elif settings.database_url is None:
            migrate.upgrade(location.owner_url)
        elif not asyncio.run(migrate.is_current(location.owner_url)):
            # In production many services share one database; which of them migrates, and when, is no accident.
            raise Unavailable(
                "The database is not of this version: run `attain migrate` first.", code="not_migrated"
            )

        def ready() -> None:
            shown = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::") else settings.host  # noqa: S104
            say.print(f"Attain serves on [bold]http://{shown}:{settings.port}[/bold] (Ctrl-C ends it)")

        server.run(settings, location, listener, on_ready=ready)


@cli.command()
def worker() -> None:
    """Do what is due: imports, exports, tidying up. Beside services with ATTAIN_RUN_WORKER=false, or more of it."""
    from app.worker import work

    settings = prepared(get_settings())
    with locate.database(settings) as location:
        if not asyncio.run(migrate.is_current(location.owner_url)):
            raise Unavailable(
                "The database is not of this version: run `attain migrate` first.", code="not_migrated"
            )
        say.print("Attain works (Ctrl-C ends it)")
        asyncio.run(work(settings, location))


@cli.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, or NDJSON by its name.")],
    noun: Annotated[str, typer.Option(help="The noun, by its plural: opportunities.")],
    source: Annotated[str, typer.Option(help="Whose external ids the file carries: salesforce.")],
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="A column's field, as often as needed."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(exists=True, help="A JSON file with the whole request but for the above.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find every fault, change nothing.")] = False,
    url: Annotated[str, typer.Option(envvar="ATTAIN_URL", help="Where the service is.")] = "",
    key: Annotated[str, typer.Option(envvar="ATTAIN_KEY", help="An API key that may write the noun.")] = "",
) -> None:
    """Send a file to a service and wait until it is merged. Rows that are refused are told, and end it with 3."""
    import orjson

    from app.sending import Sender

    kept = get_settings().data_dir / "demo.key"
    if not key and not url and kept.exists():
        key = kept.read_text().strip()
    if not key:
        raise Invalid("Set ATTAIN_KEY to an API key.", code="no_key")
    asked = orjson.loads(mapping.read_bytes()) if mapping else {}
    asked |= {"noun": noun, "source": source, "dry_run": dry_run}
    asked.setdefault("format", "ndjson" if file.suffix in (".ndjson", ".jsonl") else "csv")
    for pair in map_ or ():
        column, equals, field = pair.rpartition("=")
        if not equals:
            raise Invalid(f'--map takes COLUMN=FIELD, not "{pair}".', code="invalid_map")
        asked.setdefault("mapping", {})[column] = field
    with say.status("") as status:

        def told(operation: dict[str, Any]) -> None:
            at = operation["progress"]
            status.update(
                f"{operation['state']}: {at['bytes_received']:,} bytes received, {at['rows_read']:,} rows read, "
                f"{at['rows_failed']:,} refused"
            )

        sender = Sender(url or f"http://127.0.0.1:{get_settings().port}", key, told)
        id_ = sender.begin(asked)
        sender.upload(id_, file)
        done = sender.wait(id_)
    for error in sender.errors(id_):
        where = f", {error['column']}" if error["column"] else ""
        typer.echo(f"line {error['line']}{where}: {error['message']} ({error['code']})")
    if done["state"] != "succeeded":
        raise Invalid((done["problem"] or {}).get("detail") or f"The import was {done['state']}.")
    say.print(", ".join(f"{count:,} {name}" for name, count in done["counts"].items() if count) or "No rows.")
    if done["counts"]["failed"]:
        raise typer.Exit(3)


@cli.command()
def demo() -> None:
    """Fill the demo tenant where there is none, and say how to reach it."""
    settings = prepared(get_settings())
    with locate.database(settings) as location:
        _fill_demo(settings, location)


def _fill_demo(settings: Settings, location: Location) -> None:
    from app.demo.fill import fill

    migrate.upgrade(location.owner_url)
    fill(settings, location, say)


@cli.command("migrate")
def migrate_(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare the models with the migrations.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="Write a migration from the models, of this title.")
    ] = None,
) -> None:
    """Bring the database to this version. Needs ATTAIN_DATABASE_URL's own role, which owns the tables."""
    settings = prepared(get_settings())
    if check or revision:
        with tempfile.TemporaryDirectory(prefix="attain-migrate-") as folder:
            _compare_models(Path(folder), revision)
        return
    with locate.database(settings) as location:
        done = migrate.upgrade(location.owner_url)
    say.print("Migrated." if done else "Nothing to migrate.")


def _compare_models(folder: Path, revision: str | None) -> None:
    """Against a server of its own that holds what the migrations make: the developer's data says nothing here."""
    from alembic.util import CommandError

    server = embedded.start(folder, settings={"fsync": "off"})
    try:
        migrate.upgrade(server.owner_url)
        if revision:
            migrate.write_revision(server.owner_url, revision)
        else:
            migrate.compare(server.owner_url)
    except CommandError as error:
        say.print(f"[red]Models and migrations differ:[/red] {error}")
        raise typer.Exit(1) from error
    finally:
        server.leave()


@cli.command()
def stop() -> None:
    """End the services of this data folder, and its PostgreSQL."""
    from app import server

    settings = get_settings()
    services = server.stop(settings.data_dir)
    database = embedded.stop(settings.data_dir)
    said = f"Ended {services} service{'' if services == 1 else 's'}" + (
        " and PostgreSQL." if database else "."
    )
    say.print(said if services or database else "Nothing was running.")


@cli.command()
def reindex() -> None:
    """Give every record its words for `q=`: after an upgrade that made nouns searchable, or rows that came by SQL."""
    from app.areas import CATALOGUE
    from app.language.resources.reindex import reindex as of_tenant

    async def work(owner: asyncpg.Connection) -> int:
        tenants = await owner.fetch("select id from control.tenants order by id")
        return sum([await of_tenant(owner, tenant["id"], CATALOGUE) for tenant in tenants])

    say.print(f"Looked at {_as_owner(work):,} records.")


@tenants_cli.command("create")
def create_tenant_(
    name: Annotated[str, typer.Argument(help="How the tenant is called.")],
    timezone: Annotated[str, typer.Option(help="IANA name; business days are counted in it.")] = "UTC",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of the home currency.")] = "USD",
) -> None:
    """Make a tenant, and print an admin's API key for it."""
    from app.areas import found
    from app.ground.access.keys import create_key
    from app.ground.access.tenants import create_tenant

    async def work(owner: asyncpg.Connection) -> str:
        async with owner.transaction():
            tenant = await create_tenant(
                owner, name=name, timezone=timezone, home_currency=currency.upper(), seed=found
            )
            _, key = await create_key(Session(owner, tenant.id), name="first key", role="admin")
        say.print(f"Tenant [bold]{tenant.name}[/bold], {tenant.id}. Its admin's key, shown this once:")
        return key

    typer.echo(_as_owner(work))


@tenants_cli.command("limit")
def limit_tenant_(
    name: Annotated[str, typer.Argument(help="Its name or id.")],
    requests: Annotated[int | None, typer.Option(help="Requests in ATTAIN_RATE_WINDOW_SECONDS.")] = None,
    at_once: Annotated[int | None, typer.Option(help="Requests at once.")] = None,
    weight: Annotated[float, typer.Option(help="Its share of the database connections.")] = 1.0,
) -> None:
    """Give a tenant limits of its own; what is left out is what every tenant has."""
    from app.ground.access.principal import Limits
    from app.ground.access.tenants import find_tenant, set_limits

    async def work(owner: asyncpg.Connection) -> str:
        tenant = await find_tenant(owner, name)
        await set_limits(owner, tenant, Limits(requests, at_once, weight))
        return tenant.name

    say.print(f"[bold]{_as_owner(work)}[/bold] has its limits; they hold within seconds.")


@tenants_cli.command("pay-from")
def pay_from_(
    name: Annotated[str, typer.Argument(help="Its name or id.")],
    day: Annotated[str, typer.Argument(help="The first day whose deals earn pay here, say 2026-01-01.")],
) -> None:
    """Say from which day on deals earn pay here; what closed before was paid elsewhere."""
    from app.ground.access.tenants import find_tenant, set_pay_start

    async def work(owner: asyncpg.Connection) -> str:
        tenant = await find_tenant(owner, name)
        await set_pay_start(owner, tenant, day)
        return tenant.name

    say.print(f"[bold]{_as_owner(work)}[/bold] pays for deals closed on {day} and later.")


@keys_cli.command("create")
def create_key_(
    tenant: Annotated[
        str | None, typer.Option(help="Its id or name; needless where there is only one.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="admin, manager, rep, analyst or integration.")] = None,
    as_rep: Annotated[
        str | None,
        typer.Option("--as", metavar="REP", help="Act as this rep: id, e-mail or source:external_id."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the key is for.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Narrow it, say opportunities:read. Repeatable.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
) -> None:
    """Print a new API key."""
    from datetime import UTC, datetime, timedelta

    from app.ground.access.keys import create_key
    from app.ground.access.permissions import checked_scopes
    from app.ground.access.tenants import find_tenant
    from app.sales.org.lookup import find_rep

    if role is None and as_rep is None:
        raise typer.BadParameter("say --role, or --as a rep")

    async def work(owner: asyncpg.Connection) -> str:
        found = await find_tenant(owner, tenant)
        async with owner.transaction():
            await owner.execute(f"set local app.tenant_id = '{found.id}'")
            session = Session(owner, found.id)
            rep = await find_rep(session, as_rep) if as_rep else None
            given_role = role or ("manager" if rep and rep.has_reports else "rep")
            _, key = await create_key(
                session,
                name=name or (rep.name if rep else f"{given_role} key"),
                role=given_role,
                rep_id=rep.id if rep else None,
                scopes=checked_scopes(scope or ()),
                expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
            )
        whose = f"{rep.name} ({given_role})" if rep else given_role
        say.print(f"Key of [bold]{whose}[/bold] in {found.name}, shown this once:")
        return key

    typer.echo(_as_owner(work))


def _as_owner(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Tenants and first keys are made by the owner of the tables: the service's own role can make no tenant."""

    async def run(url: str) -> T:
        connection = await connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    with locate.database(prepared(get_settings())) as location:
        migrate.upgrade(location.owner_url)
        return asyncio.run(run(location.owner_url))


@cli.command()
def documents(
    files: Annotated[list[Path], typer.Argument(help="GraphQL documents, one operation in each.")],
) -> None:
    """Trust GraphQL documents: put them into the file of ATTAIN_GRAPHQL_TRUSTED_DOCUMENTS, each with its SHA-256."""
    from app.main import trust_documents

    told = trust_documents(prepared(get_settings()), files)
    for file, (name, new) in zip(files, told, strict=True):
        typer.echo(name)
        say.print(f"{file}: {'trusted' if new else 'was trusted already'}.")


@cli.command()
def contract(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the files are those of the code.")
    ] = False,
) -> None:
    """Write openapi/openapi.json, openapi/schema.graphql and docs/numbers from the code."""
    from app.language.metrics.handbook import FOLDER
    from app.main import contract_files

    root = Path(__file__).resolve().parents[1]
    files = contract_files()
    differing = [
        (path, text)
        for path, text in files.items()
        if not (root / path).exists() or (root / path).read_text("utf-8") != text
    ]
    gone = [p for p in (root / FOLDER).glob("*.md") if p.relative_to(root).as_posix() not in files]
    if check:
        for path in [*(path for path, _ in differing), *gone]:
            say.print(f"[red]{path}[/red] is not what the code says; `make contract` writes it.")
        if differing or gone:
            raise typer.Exit(1)
        return
    for path in gone:
        path.unlink()
    for path, text in differing:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
        say.print(f"Wrote {path}.")


if __name__ == "__main__":
    main()
