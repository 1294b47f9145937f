"""New records that are stored together have the history that each of them has alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.language.resources import batch, steps, unchanged, write
from tests.language.resources.test_unchanged import asker, send
from tests.language.resources.test_write import seed

ROWS = 40

KINDS: dict[str, dict[str, Any]] = {
    "open": {"opened_at": "2026-01-05"},
    "of no day": {"opened_at": None},
    "of tomorrow": {"opened_at": "2999-01-01"},
    "won": {"opened_at": "2026-01-05", "closed_at": "2026-02-01", "stage_id": "crm:won"},
    "lost at once": {"opened_at": "2026-01-05", "closed_at": "2026-01-05", "stage_id": "crm:lost"},
    "won, nobody says when": {"opened_at": "2026-01-05", "stage_id": "crm:won"},
    "of a kind": {"opened_at": "2026-01-06", "custom": {"tier": "gold", "count": 2}},
    "told once": {"opened_at": "2026-01-05", "history": [{"at": "2026-01-20", "amount": 3}]},
    "told of its kinds": {
        "history": [{"at": "2026-01-05", "custom": {"size": 1.5}}, {"at": "2026-01-20", "custom": {"size": 2.5}}],
    },
    "told of its stage": {
        "opened_at": "2026-01-05", "stage_id": "crm:s2", "history": [{"at": "2026-01-20", "stage_id": "crm:s1"}],
    },
}  # fmt: skip

_HISTORY = """
select to_jsonb(h) - '{tenant_id,record_id,entry_id,name}'::text[]
    || jsonb_build_object('recorded_at', null, 'valid_from', nullif(valid_from, recorded_at), 'valid_to',
                          nullif(valid_to, recorded_at), 'stage_entered_at', nullif(stage_entered_at, recorded_at),
                          'closed_at', nullif(closed_at, recorded_at))
from opportunities_history h where name = $1 order by h.valid_from
"""


@pytest.fixture(params=[10, 1_000], ids=["pieces", "whole"], autouse=True)
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batch, steps, unchanged, write):
        monkeypatch.setattr(module, "PIECE", request.param)


@pytest.mark.parametrize("kinds", [tuple(KINDS), ("open",), ("of no day", "open"), ("won", "of a kind")])
async def test_a_deal_has_the_history_that_it_has_alone(
    database: Any, tenant: Any, kinds: tuple[str, ...]
) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    dice = random.Random(len(kinds))
    drawn = [dice.choice(kinds) for _ in range(ROWS)]
    told = {
        kind: {"stage_id": "crm:s1", "owner_id": "crm:r1", "amount": n} | KINDS[kind]
        for n, kind in enumerate(kinds)
    }
    together = [{"external_id": f"d{n}", "name": f"Deal {n}", **told[kind]} for n, kind in enumerate(drawn)]
    assert {r.outcome for r in await send(database, principal, together)} == {"created"}
    for kind, row in told.items():
        [alone] = await send(database, principal, [{"external_id": kind, "name": kind, **row}])
        assert alone.outcome == "created"
    async with database.transaction(principal.tenant_id) as session:

        async def history(name: str) -> list[Any]:
            return [row[0] for row in await session.connection.fetch(_HISTORY, name)]

        expected = {kind: await history(kind) for kind in kinds}
        for n, kind in enumerate(drawn):
            assert await history(f"Deal {n}") == expected[kind], kind
    assert {len(versions) for versions in expected.values()} >= ({1, 2, 3} if len(kinds) > 2 else {2})
