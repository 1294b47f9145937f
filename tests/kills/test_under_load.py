"""Deployments and a database that goes away, while callers never pause: what `make kills` does at length."""

from __future__ import annotations

from tests.kills.import_kills import Victim, killed_import
from tests.kills.under_load import postgres_restarts, rolling_restarts


def test_a_rolling_restart_fails_nobody(made: Victim) -> None:
    load, _ = rolling_restarts(made, 2, "rolling")
    assert load.answered[200] > 500


def test_postgres_may_be_restarted_under_load(made: Victim) -> None:
    load, _ = postgres_restarts(made, 1, "postgres")
    assert load.answered[503]
    killed_import(made, 500, 0, made.kill_postgres, 0, "afterwards-")
