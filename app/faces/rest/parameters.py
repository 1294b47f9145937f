"""The query string, read strictly: every parameter is known, given once, and of its type."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError
from starlette.types import Scope

from app.ground.errors import BadRequest, FieldError, Invalid, did_you_mean
from app.language.query import periods
from app.language.resources.payload import parse_moment

MOST_PARAMETERS = 200


class Parameters:
    """What is asked for is taken out; `nothing_else` refuses what is left over.

    A name that was asked for is a known one, so a suggestion for a misspelt parameter comes from the code that reads
    them, not from a second list.
    """

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self.sent = tuple(items)
        self.items = list(self.sent)
        self.known: set[str] = set()
        self._names = {name for name, _ in self.sent}

    @classmethod
    def of(cls, scope: Scope) -> Parameters:
        try:
            items = parse_qsl(
                scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MOST_PARAMETERS,
            )
        except UnicodeError:
            raise BadRequest(
                "The query string is not UTF-8, percent-encoded.", code="malformed_query"
            ) from None
        except ValueError:
            raise BadRequest(f"At most {MOST_PARAMETERS} parameters.", code="malformed_query") from None
        for name, value in items:
            if "\x00" in name or "\x00" in value:
                raise Invalid.field(f"?{name[:80]}", "bad_character", "The character U+0000 is not taken.")
        return cls(items)

    def many(self, name: str) -> list[str]:
        """A list, by comma or by repeating the parameter; with nothing behind it an empty one."""
        found = self._taken(name)
        parts = [part.strip() for value in found if value.strip() for part in value.split(",")]
        if "" in parts:
            raise Invalid.field(
                f"?{name}", "not_in_list", f"There is nothing between two commas of `{name}`."
            )
        return parts

    def one(self, name: str) -> str | None:
        found = self._taken(name)
        if len(found) > 1:
            raise Invalid.field(f"?{name}", "repeated", f"Give `{name}` once.")
        return found[0] if found else None

    def _taken(self, name: str) -> list[str]:
        self.known.add(name)
        if name not in self._names:
            return []
        found = [value for key, value in self.items if key == name]
        self.items = [item for item in self.items if item[0] != name]
        return found

    def number(self, name: str, default: int, *, least: int = 1, most: int) -> int:
        text = self.one(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise Invalid.field(
                f"?{name}", "out_of_range", f"`{name}` is a whole number from {least} to {most}."
            )
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.one(name)
        if text in (None, "false"):
            return False
        if text != "true":
            raise Invalid.field(f"?{name}", "not_a_flag", f"`{name}` is true or false.")
        return True

    def word(self, name: str, allowed: Iterable[str], default: str) -> str:
        found = self.one(name)
        return default if found is None else self._checked(name, found, tuple(allowed))

    def words(self, name: str, allowed: Iterable[str]) -> set[str]:
        allowed = tuple(allowed)
        return {self._checked(name, word, allowed) for word in self.many(name)}

    def _checked(self, name: str, word: str, allowed: tuple[str, ...]) -> str:
        if word not in allowed:
            hint = did_you_mean(word, allowed)
            raise Invalid.field(f"?{name}", "not_in_list", f"`{name}` takes {', '.join(allowed)}.{hint}")
        return word

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        text = self.one(name)
        return None if text is None else moment_of(text, f"?{name}", zone)

    def nothing_else(self, known: Iterable[str] = ()) -> None:
        if self.items:
            raise Invalid(
                "A parameter is not known here.",
                code="unknown_parameter",
                errors=[unknown(name, {*self.known, *known}) for name, _ in self.items],
            )


def unknown(name: str, known: Iterable[str]) -> FieldError:
    return FieldError(
        f"?{name[:80]}",
        "unknown_parameter",
        f'There is no parameter "{name[:80]}".{did_you_mean(name[:80], known)}',
    )


def moment_of(text: object, pointer: str, zone: ZoneInfo) -> datetime:
    """A moment with its offset; a day is its start in the tenant's zone."""
    try:
        found = parse_moment(text)
    except PydanticCustomError as error:
        raise Invalid.field(pointer, error.type, f"It {error.message()}.") from None
    return found if isinstance(found, datetime) else periods.midnight(found, zone)
