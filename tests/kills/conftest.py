"""One service that may be killed, with a PostgreSQL of its own, for all tests of this folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.kills.import_kills import Victim, victim


@pytest.fixture(scope="package")
def made() -> Iterator[Victim]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with victim(port) as running:
        yield running
