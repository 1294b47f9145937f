"""Which types go together."""

from __future__ import annotations

from collections.abc import Sequence

from app.language.formula import tree
from app.language.formula.tree import Node
from app.language.formula.types import NUMBERS, Type


def fits(node: Node, expected: Type) -> bool:
    return (
        node.type is expected
        or (node.type in NUMBERS and expected in NUMBERS)
        or (expected is Type.MONEY and written(node))
    )


def common(nodes: Sequence[Node]) -> Type | None:
    """The type that all have together. A number that is written out is money among money: `amount >= 50000`."""
    kinds = {each.type for each in nodes}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds <= set(NUMBERS):
        return Type.NUMBER
    if Type.MONEY in kinds and all(each.type is Type.MONEY or written(each) for each in nodes):
        return Type.MONEY
    return None


def written(node: Node) -> bool:
    """Whether a number hangs on nothing but numbers that are written out."""
    match node:
        case tree.Constant():
            return node.type is Type.NUMBER
        case tree.Negative() | tree.Rounded():
            return written(node.operand)
        case tree.Sum():
            return all(map(written, node.plus + node.minus))
        case tree.Product():
            return all(map(written, node.over + node.under))
        case tree.Choice():
            return written(node.then) and written(node.otherwise)
        case tree.FirstDefined() | tree.Extreme():
            return all(map(written, node.options))
    return False
