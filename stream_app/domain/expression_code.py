"""Expressions as text: each distinct one is a local variable, written before what uses it.

The operations are those of numpy to the last bit: compiled division follows IEEE 754, and no sum is reordered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from stream_app.domain.expressions import Expression

_UNARY: Final = {
    "absolute": "abs({})",
    "negative": "-{}",
    "sqrt": "np.sqrt({})",
    "isnan": "np.isnan({})",
    "isfinite": "np.isfinite({})",
    "not": "not {}",
    "int": "int({})",
}


class ExpressionWriter(ABC):
    """Writes expressions as lines of a function's body."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[Expression, str] = {}
        self._variables = 0

    def name(self, expression: Expression, pad: str = "") -> str:
        """Name of an expression's variable, which is written first where it is new."""
        if expression not in self._names:
            self._names[expression] = self._written(expression, pad)
        return self._names[expression]

    def _written(self, expression: Expression, pad: str) -> str:
        op, args = expression.op, expression.args
        if op == "const":
            return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}.get(str(args[0]), repr(args[0]))
        text = self.leaf(expression, pad)
        if text is None:
            text = _text(op, args, [self.name(arg, pad) for arg in args])
        elif text.isidentifier():
            return text
        self._variables += 1
        variable = f"t{self._variables}"
        self.lines.append(f"{pad}{variable} = {text}")
        return variable

    @abstractmethod
    def leaf(self, expression: Expression, pad: str) -> str | None:
        """Text of what is no operation on other expressions; None: it is one."""


def _text(op: str, args: tuple[Expression, ...], operands: list[str]) -> str:
    if op in _UNARY:
        return _UNARY[op].format(*operands)
    if op in ("minimum", "maximum"):
        return f"np.{op}({operands[0]}, {operands[1]})"
    if op == "where":
        return f"{operands[1]} if {operands[0]} else {operands[2]}"
    if op == "float":
        return f"1.0 if {operands[0]} else 0.0" if args[0].kind == "bool" else f"float({operands[0]})"
    if op == "//":
        return f"floor_quotient({operands[0]}, {operands[1]})"
    return f"{operands[0]} {op} {operands[1]}"
