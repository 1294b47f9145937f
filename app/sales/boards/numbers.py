"""The question of a published board, and as whom it is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from app.ground.access.again import again
from app.ground.access.permissions import permits
from app.ground.errors import Conflict
from app.language.metrics.held import Held
from app.language.resources import read
from app.language.resources.resource import Catalogue
from app.language.resources.shape import Leaf, Shape

_ID = Shape((("id", Leaf("id")),))
_FIND = """
select question, state, publisher_user_id, publisher_key_id from boards where tenant_id = $1 and id = $2
"""
_REP = "select id, name from reps where tenant_id = $1 and id = $2"


async def held(session: Any, principal: Any, catalogue: Catalogue, reference: str) -> Held:
    """Raises NotFound for whom it is not meant, Conflict where there is nobody to ask it any more."""
    text = await read.one(session, principal, catalogue, catalogue["boards"], reference, _ID)
    id_ = UUID(orjson.loads(text)["id"])
    row = await session.connection.fetchrow(_FIND, session.tenant_id, id_)
    if row is None or row["state"] != "published":
        raise Conflict("It is a draft: it has no numbers until somebody publishes it.", code="not_published")
    publisher = await again(session, principal.tenant, row["publisher_user_id"], row["publisher_key_id"])
    if publisher is None or not (
        permits(publisher, "boards", "write") and permits(publisher, "metrics", "read")
    ):
        raise Conflict(
            "Whoever published it may no longer. It shows nothing until somebody publishes it anew.",
            code="publisher_gone",
        )
    rep = await session.connection.fetchrow(_REP, session.tenant_id, publisher.rep_id)
    return Held(
        row["question"], publisher, None if rep is None else {"id": str(rep["id"]), "name": rep["name"]}
    )
