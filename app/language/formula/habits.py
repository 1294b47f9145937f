"""What people write out of the habit of other languages, and what to write here instead."""

from __future__ import annotations

import re
import unicodedata

_HABITS = [
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (r"(?<==)=", 'Write "=" once.'),
        (r"(?<==)>", 'Write ">=".'),
        (r"(?<==)<", 'Write "<=".'),
        (r":=|:", 'Write "=" to compare; a formula assigns nothing.'),
        (r"&", 'Write "and".'),
        (r"\|", 'Write "or".'),
        (r"!", 'Write "not", or "!=" between two values.'),
        (r";", "A formula is one expression: leave the semicolon out, and put commas between arguments."),
        (r"(?<=\*)\*|\^", "There are no powers: multiply."),
        (r"(?<=-)-|(?<=- )-|(?<=\+)\+", "Write one sign, or parentheses between two."),
        (r"\+", "Leave the sign out."),
        (r"/", "A formula has no comments."),
        (r"#", "A formula has no comments."),
        (r"%", "A percentage is a number and its sign, as in 10%; there is no remainder."),
        (r"[\[{\]}]", "Use round parentheses."),
        (r"[$€£¥]", "Write amounts without a sign of currency."),
        (r"[\u201c\u201d\u201e\u00ab\u00bb`]", "Write straight quotes, \" or '."),
        (r"[\u2018\u2019\u201a]", "Write straight quotes, \" or '."),
        (r"[×·∙]", 'Write "*".'),
        (r"[÷∕]", 'Write "/".'),
        (r"[−–—‐]", 'Write "-".'),
        (r"≥", 'Write ">=".'),
        (r"≤", 'Write "<=".'),
        (r"≠", 'Write "!=".'),
        (r"\?|(then|else|case|when|elif|elseif)\b", "Write if(condition, a, b)."),
        (r"(is|null|nil|none)\b", "Write coalesce(value, 0) for what may be undefined."),
        (r"between\b", 'Write "x >= 1 and x <= 5".'),
        (r"[\"']", "Close the text with the quote that opened it; double a quote inside it."),
    )
]


def advice(text: str, offset: int) -> str:
    """A sentence about what stands there, or nothing."""
    if text[offset : offset + 1] == "=" and not text[:offset].strip():
        return 'A formula begins without "=".'
    for pattern, meant in _HABITS:
        if pattern.match(text, offset):
            return meant
    plain = unicodedata.normalize("NFKC", text[offset : offset + 1])
    if plain.isascii() and plain.isprintable() and plain != text[offset : offset + 1]:
        return f'Write a plain "{plain}".'
    return ""


def named(character: str) -> str:
    """A character as it may be shown: those that look like others, or like nothing, by their number and name."""
    if character.isascii() and character.isprintable():
        return f'"{character}"'
    name = unicodedata.name(character, "")
    return f"the character U+{ord(character):04X}{' ' * bool(name)}{name}"
