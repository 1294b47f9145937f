"""The one visible list: every area's nouns, inquiries and numbers. Importing it loads every table into `metadata`."""

from __future__ import annotations

from app.ground.access import models as access_models
from app.ground.access.principal import Principal, Tenant
from app.ground.database.session import Session
from app.ground.database.tables import metadata
from app.ground.events import models as event_models
from app.language.files import models as file_models
from app.language.metrics.metric import MetricCatalogue
from app.language.resources import write
from app.language.resources.resource import Catalogue
from app.sales.accounts import resources as accounts
from app.sales.activities import metrics as activity_metrics
from app.sales.activities import resources as activities
from app.sales.boards.resources import boards
from app.sales.incentives import inquiries as incentive_inquiries
from app.sales.incentives import metrics as incentive_metrics
from app.sales.incentives import resources as incentives
from app.sales.org import people
from app.sales.org import resources as org
from app.sales.pipeline import metrics as pipeline_metrics
from app.sales.pipeline import resources as pipeline
from app.sales.pricing import resources as pricing
from app.sales.prospecting import metrics as prospecting_metrics
from app.sales.prospecting import resources as prospecting
from app.sales.targets import inquiries as target_inquiries
from app.sales.targets import metrics as target_metrics
from app.sales.targets import resources as targets

METRIC_CATALOGUE = MetricCatalogue(
    (
        *pipeline_metrics.METRICS,
        *prospecting_metrics.METRICS,
        *activity_metrics.METRICS,
        *people.METRICS,
        *target_metrics.METRICS,
        *incentive_metrics.METRICS,
    )
)

CATALOGUE = Catalogue(
    (
        *org.RESOURCES,
        *accounts.RESOURCES,
        *pricing.RESOURCES,
        *pipeline.RESOURCES,
        *prospecting.RESOURCES,
        *activities.RESOURCES,
        *targets.RESOURCES,
        *incentives.RESOURCES,
        boards(METRIC_CATALOGUE),
    ),
    inquiries=(*target_inquiries.INQUIRIES, *incentive_inquiries.INQUIRIES),
)


async def found(session: Session, tenant: Tenant) -> None:
    """What a new tenant begins with: a fiscal calendar that is the calendar year, until it says otherwise."""
    founder = Principal(tenant=tenant, role="admin", name="founding")
    calendar = {"name": "Calendar year", "start_month": 1, "is_default": True}
    await write.create(session, founder, CATALOGUE, CATALOGUE["fiscal_calendars"], calendar)


__all__ = [
    "CATALOGUE",
    "METRIC_CATALOGUE",
    "access_models",
    "event_models",
    "file_models",
    "found",
    "metadata",
]
