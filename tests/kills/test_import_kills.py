"""The service and its PostgreSQL killed in the midst of an import: what `make kills` does at length."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.kills.import_kills import Victim, killed_import


def test_an_import_outlives_whoever_works_on_it(made: Victim) -> None:
    killed_import(made, 5_000, 2, made.kill_service, 7, "service-")
    killed_import(made, 5_000, 1, made.kill_postgres, 11, "postgres-")


def test_a_file_is_sent_from_the_command_line(made: Victim, tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("Id,Firm\na,Acme\nb,\n")

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            made.command("import", str(path), "--noun", "accounts", "--source", "cli", *arguments),
            env=made.environment | environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    mapped = ("--map", "Id=external_id", "--map", "Firm=name")
    tried = run(*mapped, "--dry-run", ATTAIN_KEY=made.key)
    assert (tried.returncode, made.ask("/v1/accounts/cli:a").status_code) == (3, 404), tried.stderr
    done = run(*mapped, ATTAIN_KEY=made.key)
    assert (done.returncode, "1 created, 1 failed" in done.stderr) == (3, True), done.stderr
    assert done.stdout.startswith("line 3, Firm: ")
    assert made.ask("/v1/accounts/cli:a").json()["name"] == "Acme"
    for wrong in (
        ("--map", "Id=externalid"),
        ("--map", "Id=external_id", "--map", "Form=name"),
        ("--map", "Id"),
    ):
        refused = run(*wrong, ATTAIN_KEY=made.key)
        assert (refused.returncode, refused.stdout) == (1, ""), refused.stderr
        assert "Traceback" not in refused.stderr
    assert run(*mapped).returncode == 1, "a key is needed"
