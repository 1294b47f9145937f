"""Which form of an answer the caller takes."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from app.ground.errors import NotAcceptable

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"


def chosen(request: Request, offered: Sequence[str] = (JSON,)) -> str:
    """The offered type of the highest weight; the first one where the caller does not care."""
    header = request.headers.get("accept")
    if not header or header.strip() == "*/*":
        return offered[0]
    if header in offered:
        return header
    best, best_rank = None, (0.0, 0)
    for part in header.split(","):
        name, _, rest = part.strip().lower().partition(";")
        weight = _weight(rest)
        name = name.strip()
        for candidate in offered:
            precision = _precision(name, candidate)
            if precision and weight > 0 and (weight, precision) > best_rank:
                best, best_rank = candidate, (weight, precision)
    if best is None:
        raise NotAcceptable(f"This path answers {', '.join(offered)}.")
    return best


def _precision(pattern: str, candidate: str) -> int:
    if pattern == candidate:
        return 3
    if pattern.endswith("/*") and candidate.startswith(pattern[:-1]):
        return 2
    return 1 if pattern == "*/*" else 0


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
