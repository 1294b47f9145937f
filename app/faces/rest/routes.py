"""Every operation of the REST face, in the order of the contract."""

from __future__ import annotations

from app.faces.rest import calendar_days, files, measures, nouns, service
from app.faces.rest.operation import Operation
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue


def operations(catalogue: Catalogue, metrics: MetricCatalogue) -> list[Operation]:
    return [
        *service.operations(catalogue),
        *measures.operations(metrics),
        *calendar_days.operations(),
        *files.operations(),
        *nouns.operations(catalogue),
    ]
