"""One service that may be killed, with a PostgreSQL of its own, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kills.import_kills import Victim, victim


@pytest.fixture(scope="package")
def made() -> Iterator[Victim]:
    with victim() as running:
        yield running
