"""No float comes near money: not in Python, and not in SQL."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

APP = Path(__file__).parents[3] / "app"
NEAR_MONEY = sorted(
    x for folder in ("sales/incentives", "language/formula") for x in (APP / folder).rglob("*.py")
)
_DESCRIBED = ("number", "ratio", "money", "Field")
"""Whose arguments are examples and bounds for the contract, which JSON writes as numbers."""
_FLOATING = re.compile(
    r"\b(double\s+precision|float[48]?|real)\b|percentile_cont|\brandom\(|\b(ln|exp|sqrt)\(", re.IGNORECASE
)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


class _Floats(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self._docs: set[int] = set()
        self._described = 0

    def visit(self, node: ast.AST) -> None:
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            # A sentence about floats is none.
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                self._docs.add(id(each.value))
        super().visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node)
        if name in ("float", "Float", "Double", "REAL", "DOUBLE_PRECISION", "Real"):
            self.found.append((node.lineno, f"{name}()"))
        described = name in _DESCRIBED or name == "json_list"
        self._described += described
        self.generic_visit(node)
        self._described -= described

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in ("float", "Float", "Double", "REAL"):
            self.found.append((node.lineno, node.id))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float) and not self._described:
            self.found.append((node.lineno, repr(node.value)))
        if (
            isinstance(node.value, str)
            and id(node) not in self._docs
            and (told := _FLOATING.search(node.value))
        ):
            self.found.append((node.lineno, told[0]))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """`/` between two numbers of Python; that of paths and of SQL's columns is another."""
        if isinstance(node.op, ast.Div) and all(
            isinstance(x, ast.Constant) and isinstance(x.value, int) for x in (node.left, node.right)
        ):
            self.found.append((node.lineno, "/"))
        self.generic_visit(node)


def floats(source: str) -> list[tuple[int, str]]:
    visitor = _Floats()
    visitor.visit(ast.parse(source))
    return visitor.found


@pytest.mark.parametrize("path", NEAR_MONEY, ids=lambda x: str(x.relative_to(APP)))
def test_there_is_none(path: Path) -> None:
    assert floats(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("x = 0.1", "0.1"), ("x = float(y)", "float()"), ("x: float = y", "float"), ("x = cast(y, Float)", "Float"),
        ("x = f'select {y}::double precision'", "double precision"), ("x = 'amount::float8'", "float8"),
        ("x = 'amount::real'", "real"), ("x = 1 / 3", "/"), ("x = 'percentile_cont(0.5)'", "percentile_cont"),
    ],
)  # fmt: skip
def test_each_would_be_found(source: str, what: str) -> None:
    assert what in [told for _, told in floats(source)]


def test_a_sentence_about_them_is_none() -> None:
    assert floats('"""No float here."""\nx = 1\n"""Nor a real one."""') == []
