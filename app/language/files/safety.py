"""Cells that a spreadsheet would run as a formula, and the apostrophe that keeps it from doing so.

An apostrophe goes before `=`, `+`, `-`, `@`, a tabulator, a return, and their full-width forms, and before apostrophes
in front of one of these: so taking one away again gives back what was there, whatever it was.
"""

from __future__ import annotations

import re

_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def neutralised(text: str) -> str:
    return f"'{text}" if _DANGEROUS.match(text) else text


def restored(text: str) -> str:
    return text[1:] if text[:1] == "'" and _NEUTRALISED.match(text) else text
