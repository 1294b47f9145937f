"""Every root field of GraphQL under drawn documents, sent by every identity: answered or refused, nothing unmasked."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from app.main import contract_files
from tests.fuzz.conftest import Live
from tests.fuzz.contract import drawn
from tests.fuzz.test_rest import IDENTITIES

DAYS = st.dates().map(str) | st.sampled_from(["2026-02-30", "today", ""])
MOMENTS = st.datetimes().map(lambda x: f"{x.isoformat()}Z") | DAYS
TEXTS = st.text(max_size=5)
schemathesis.graphql.scalar("Date", DAYS.map(nodes.String))
schemathesis.graphql.scalar("DateTime", MOMENTS.map(nodes.String))
schemathesis.graphql.scalar(
    "Decimal", st.decimals(allow_nan=False, allow_infinity=False).map(lambda x: nodes.Float(float(x)))
)
schemathesis.graphql.scalar("JSON", TEXTS.map(nodes.String) | st.integers().map(nodes.Int))
SCHEMA = schemathesis.graphql.from_file(contract_files()["openapi/schema.graphql"])
OFFERED: Any = SCHEMA.get_all_operations()
FIELDS: dict[str, Any] = {x.label: x for x in (found.ok() for found in OFFERED)}
LEAKS = ("Traceback", "asyncpg", 'File "', "SELECT ", "select ", "psycopg", "sqlalchemy")


@pytest.mark.parametrize("name", FIELDS)
def test_every_document_is_answered_or_refused(name: str, live: Live) -> None:
    @drawn()
    @given(case=FIELDS[name].as_strategy())
    def fuzz(case: Any) -> None:
        for identity in IDENTITIES:
            key = live.keys.get(identity)
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            response = live.session.post(
                f"{live.url}/graphql", json={"query": case.body}, headers=headers, timeout=10
            )
            answer = response.json()
            assert response.status_code < 500, (identity, case.body, answer)
            for error in answer.get("errors", ()):
                said = error["extensions"]
                assert said["code"] != "internal", (identity, case.body, error)
                assert 400 <= said["status"] < 500, (identity, case.body, error)
                assert not [x for x in LEAKS if x in error["message"]], (identity, case.body, error)
            if identity == "anonymous":
                assert answer.get("errors"), case.body

    fuzz()
