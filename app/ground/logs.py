"""Logs for machines by default, for people where asked; in both, no secrets.

What a caller sent is never logged: no headers, no bodies, no query strings. An exception is logged as its type and the
places that it passed, not its message, since drivers put values into messages.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

_KEY = re.compile(r"attain_(?:ticket_)?[0-9a-f]{32}_[A-Za-z0-9_-]+")
_URL_PASSWORD = re.compile(r"(\w+://[^\s:/@]*):[^\s@]+@")

_processors: list[Processor] = []
"""One list for good: a logger that has written once keeps it."""


def configure(level: str, form: str) -> None:
    """`form` is `json` or `text`. Logs go to the standard error, so that a command's output stays its own."""
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _places_of_exception,
        _without_secrets,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "text"
        else structlog.processors.JSONRenderer(_json)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=before,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # These tell of every start and connection; nobody reads that.
    for name in ("uvicorn.error", "alembic", "asyncio", "httpx"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    _processors[:] = [*before, renderer]
    structlog.configure(
        # Our own lines do not pass through `logging`: every request writes one, and it took a seventh of its time.
        processors=_processors,
        logger_factory=_StandardError,
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


class _StandardError:
    """Where structlog writes finished lines; whichever stream it is at that moment."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def _write(self, line: str) -> None:
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = _write


def _json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def masked(text: str) -> str:
    """Without what looks like a key of ours or a URL's password."""
    if "attain_" in text:
        text = _KEY.sub("attain_…", text)
    return _URL_PASSWORD.sub(r"\1:…@", text) if "://" in text else text


def _without_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = masked(value)
    return event


def _places_of_exception(_: Any, __: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    error = _exception_in(info)
    if error is not None:
        chain: list[str] = []
        seen: set[int] = set()
        cause: BaseException | None = error
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            chain.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        event["error"] = chain
        event["places"] = _places(error.__traceback__)
    return event


def _exception_in(info: Any) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1]
    return sys.exc_info()[1] if info else None


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)][-25:]
