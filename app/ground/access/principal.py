"""Who asks. Made once at the edge, passed as an argument everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

from app.ground.access.custom import NONE, Custom

ROLES = ("admin", "manager", "rep", "analyst", "integration")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant has of the service where it is not what every tenant has; None means that."""

    requests: int | None = None
    """In the time that `ATTAIN_RATE_WINDOW_SECONDS` gives."""
    at_once: int | None = None
    weight: float = 1.0
    """Its share of the database connections when there are not enough, in relation to the others'."""


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the service, with what its numbers need by default."""

    id: UUID
    name: str
    timezone: str = "UTC"
    home_currency: str = "USD"
    unowned_visible_to: frozenset[str] = frozenset(ROLES)
    """Roles that see accounts without an owner."""
    limits: Limits = USUAL
    custom: Custom = NONE
    """The fields that it has added to nouns."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class Principal:
    """`rep_id` is this user's place in the hierarchy; without one a manager or rep sees the directory only.

    `scopes` narrows what the role permits: empty means all of it; else names such as `opportunities:read`.
    """

    tenant: Tenant
    role: str
    user_id: UUID | None = None
    rep_id: UUID | None = None
    key_id: UUID | None = None
    name: str = ""
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def tenant_id(self) -> UUID:
        return self.tenant.id

    @property
    def sees_all(self) -> bool:
        """Admin, analyst and integration see every row of the tenant; their limits are permissions and scopes."""
        return self.role in ("admin", "analyst", "integration")
