"""The two axes of time that a question may fix."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic_core import PydanticCustomError

from app.faces.graphql.build import Argument
from app.faces.graphql.names import camel
from app.faces.graphql.scalars import Moment
from app.ground.access.principal import Tenant
from app.ground.errors import Invalid
from app.language.query import periods
from app.language.resources.payload import parse_moment

ARGUMENTS = (
    Argument("as_of", Moment, "As it was at this moment."),
    Argument("known_at", Moment, "By what was known at this moment; now when left out."),
)


def moment(arguments: Mapping[str, Any], name: str, tenant: Tenant) -> datetime | None:
    """A moment with its offset; a day is its start in the tenant's zone."""
    sent = arguments.get(name)
    if sent is None:
        return None
    try:
        found = parse_moment(sent)
    except PydanticCustomError as error:
        raise Invalid.field(f"/{camel(name)}", error.type, f"It {error.message()}.") from None
    return found if isinstance(found, datetime) else periods.midnight(found, tenant.zone)
