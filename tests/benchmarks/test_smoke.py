"""The benchmark in small: it fills, serves, finds equal answers and measures each of its cases."""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.kpis import hand

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = (
    "--careless",
    "--no-postgraphile",
    "--scale",
    "2000",
    "--seconds",
    "0.1",
    "--rounds",
    "1",
    "--upsert-rows",
    "100",
)


def test_every_case_is_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *OPTIONS, "--folder", str(tmp_path / "bench")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    cases = re.findall(r"^\| (.+?) +\|.*\*\*\d+\.\d\d\*\*", done.stdout, re.MULTILINE)
    assert [case.split()[0] for case in cases] == ["REST", "the", "one", "create", "upsert", "the"]
    assert not (tmp_path / "bench").exists()


ASKED = ("reps", "known")
"""Between them groups and buckets, now and a past day, by what is known and by what was."""
ASKER = "manager"
"""Whose rows are some of all; an admin's are asked by `make kpis`."""
CHECK = (
    "--careless",
    "--check",
    "--scale",
    "3000",
    "--asker",
    ASKER,
    *(x for form in ASKED for x in ("--form", form)),
)


def test_every_number_is_what_somebody_wrote_by_hand(tmp_path: Path) -> None:
    """A second oracle: each statement's answer is demanded of the product, cell by cell, before anything is timed."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kpis", *CHECK, "--folder", str(tmp_path / "kpis")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    told = [tuple(line.split(": ")[0].split()) for line in done.stderr.splitlines() if "cells alike" in line]
    assert told == [(metric, form, ASKER) for metric in hand.names() for form in ASKED]
