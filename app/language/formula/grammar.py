"""From text to syntax, in time linear in the text: at most so many characters, tokens and parentheses.

Only parentheses nest. Signs and `not` cannot be repeated and chains of one operator are flat, so a bound on open
parentheses bounds the tree, and nobody who walks it can run out of stack.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from app.language.formula import habits
from app.language.formula.errors import FormulaError, Problem

MOST_CHARACTERS = 2_000
MOST_TOKENS = 200
MOST_DEPTH = 20

Syntax = Tree[Token] | Token

_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff0-\uffff"
"""What cannot be seen in a text, turns it round, or is no character: it would make two texts look the same."""

_GRAMMAR = r"""
?disjunction: conjunction (_OR conjunction)*
?conjunction: condition (_AND condition)*
?condition: comparison | NOT comparison -> negation
?comparison: sum
    | sum COMPARE sum
    | sum NOT? _IN _OPEN list _CLOSE -> among
?sum: product ((PLUS | MINUS) product)*
?product: factor ((TIMES | OVER) factor)*
?factor: atom | MINUS atom -> negative
?atom: NUMBER | TEXT | BOOL | NAME | call | _OPEN disjunction _CLOSE
call: NAME _OPEN list? _CLOSE
list: disjunction (_COMMA disjunction)*

_OR.2: /or(?![A-Za-z0-9_.])/i
_AND.2: /and(?![A-Za-z0-9_.])/i
NOT.2: /not(?![A-Za-z0-9_.])/i
_IN.2: /in(?![A-Za-z0-9_.])/i
BOOL.2: /(true|false)(?![A-Za-z0-9_.])/i
NAME: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/
NUMBER: /[0-9.][0-9A-Za-z_.]*(,[0-9][0-9A-Za-z_.]*)*%?/
TEXT: /"([^"<unseen>]|"")*"|'([^'<unseen>]|'')*'/
COMPARE: /<=|>=|<>|!=|=|<|>/
PLUS: "+"
MINUS: "-"
TIMES: "*"
OVER: "/"
_OPEN: "("
_CLOSE: ")"
_COMMA: ","
%ignore /[ \t\r\n]+/
""".replace("<unseen>", _UNSEEN)
"""A number takes in all that clings to it, so that `1,000`, `1e9` and `1.2.3` are refused as what they are, and not
read as two numbers."""

_LARK = Lark(_GRAMMAR, start="disjunction", parser="lalr", lexer="basic", propagate_positions=True)
_SHOWN = 40


def syntax(text: str) -> Syntax:
    """The syntax of a formula; of what is not one, the first place that says so."""
    if len(text) > MOST_CHARACTERS:
        raise _refused(
            text, MOST_CHARACTERS, "too_long", f"A formula has at most {MOST_CHARACTERS:,} characters."
        )
    parsing = _LARK.parse_interactive(text)
    tokens = depth = 0
    try:
        for token in parsing.iter_parse():
            offset = token.start_pos or 0
            tokens += 1
            if tokens > MOST_TOKENS:
                raise _refused(
                    text, offset, "too_long", f"A formula has at most {MOST_TOKENS} words, numbers and signs."
                )
            depth += (token.type == "_OPEN") - (token.type == "_CLOSE")
            if depth > MOST_DEPTH:
                raise _refused(text, offset, "too_deep", f"Parentheses nest at most {MOST_DEPTH} deep.")
        return parsing.feed_eof()
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _misplaced(text, error.token, parsing.accepts()) from None


def _refused(text: str, offset: int, code: str, message: str, suggestion: str = "") -> FormulaError:
    return FormulaError([Problem.at(text, offset, code, message, suggestion)])


def _unreadable(text: str, offset: int) -> FormulaError:
    if text[offset] in "\"'":
        closing = text.find(text[offset], offset + 1)
        hidden = re.compile(f"[{_UNSEEN}]").search(text, offset, len(text) if closing < 0 else closing)
        if hidden is None:
            return _refused(text, offset, "syntax", "This text is not closed.", habits.advice(text, offset))
        offset = hidden.start()
        message = f"A text is of one line and of what can be seen; here is {habits.named(text[offset])}."
        return _refused(text, offset, "syntax", message)
    message = f"Here is {habits.named(text[offset])}, which means nothing in a formula."
    return _refused(text, offset, "syntax", message, habits.advice(text, offset))


def _misplaced(text: str, token: Token, accepted: Collection[str]) -> FormulaError:
    if token.type == "$END":
        offset, found, suggestion = len(text), "the formula ends here", ""
    else:
        offset = token.start_pos or 0
        shown = token if len(token) <= _SHOWN else f"{token[:_SHOWN]}…"
        found, suggestion = f'here is "{shown}"', habits.advice(text, offset)
        if token.type == "COMPARE" and "_AND" in accepted:
            suggestion = 'Compare two values at a time: "1 <= x and x < 2".'
    return _refused(text, offset, "syntax", f"{_expected(accepted)} is expected, and {found}.", suggestion)


def _expected(accepted: Collection[str]) -> str:
    if "NUMBER" in accepted:
        return "A value (a number, a text in quotes, a name, a function or parentheses)"
    if accepted == {"_IN"}:
        return 'The word "in"'
    if accepted == {"_OPEN"}:
        return 'A list in parentheses, as in ("a", "b"),'
    closing = [sign for name, sign in (("_COMMA", "a comma"), ("_CLOSE", '")"')) if name in accepted]
    return f"An operator such as + or >=, or {' or '.join(closing) or 'the end'}"
