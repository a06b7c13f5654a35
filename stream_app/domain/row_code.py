"""The traced expressions as text: one loop that adds an asset's rows to its open window.

Each distinct expression is a local variable. Fields are added in the rows' order, each by itself, so the sums are those
of the uncompiled expressions to the last bit. Minimum and maximum take their arguments in the order in which
:mod:`stream_app.domain.fields` does: the running value first, which a NaN leaves as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_app.domain.fields import Field, Layout
from stream_app.domain.samples import Carried
from stream_app.domain.tracing import Addition, Expression, Trace

_SCRATCH: Final = {"dt_s": "dt_s[i]", "valid": "valid[i]", "gap_s": "gap_s[i]", "rest_limit_a": "rest_limit_a"}
_UNARY: Final = {
    "absolute": "abs({})",
    "negative": "-{}",
    "sqrt": "np.sqrt({})",
    "isnan": "np.isnan({})",
    "isfinite": "np.isfinite({})",
    "not": "not {}",
    "int": "int({})",
}


@dataclass(frozen=True, slots=True)
class SequentialPlace:
    """Where a sequential state stands: its number, and its part of an asset's line."""

    name: str
    number: int
    start: int
    stop: int
    event: tuple[str, ...]


def add_rows_source(
    trace: Trace,
    layout: Layout,
    columns: Sequence[str],
    carry: Mapping[Carried, int],
    sequential: Iterable[SequentialPlace],
) -> str:
    """Write ``add_rows``.

    Parameters
    ----------
    trace, layout
        What rows add, and where each field stands in a window's totals.
    columns
        Columns of the readings, in their order.
    carry
        Where the value before of each (column, kind of row) stands in an asset's line.
    sequential
        Where the sequential states stand; ``step_<name>`` is their compiled step.
    """
    return _Writer(layout, columns, carry).source(trace, list(sequential))


class _Writer:
    def __init__(self, layout: Layout, columns: Sequence[str], carry: Mapping[Carried, int]) -> None:
        self._layout, self._columns, self._carry = layout, columns, carry
        self._lines: list[str] = []
        self._names: dict[Expression, str] = {}
        self._variables = 0
        self._before: dict[str, int] = {}  # variable with the value before: its place in the line

    def source(self, trace: Trace, sequential: list[SequentialPlace]) -> str:
        for addition in trace.additions:
            if addition.event is None:
                self._add(addition)
        for place in sequential:
            self._step(place, trace)
        body = "\n".join(f"        {line}" for line in self._lines)
        load = [f"    {name} = line[{at}]" for name, at in self._before.items()]
        for place in sequential:  # once: each cut of an array is counted
            load += [
                f"    state_{place.name} = line[{place.start}:{place.stop}]",
                f"    stack_{place.name} = stacks[{place.number}]",
                f"    depth_{place.name} = depths[{place.number} : {place.number + 1}]",
            ]
        store = [f"    line[{at}] = {name}" for name, at in self._before.items()]
        return "\n".join(
            [
                "def add_rows(",
                "    i, stop, begin_us, end_us, known, scratch, rest_limit_a, totals, line, stacks, depths, events",
                "):",
                "    time_us, dt_s, valid, gap_s, values = scratch",
                *load,
                "    while i < stop and begin_us <= time_us[i] and time_us[i] < end_us:",
                body,
                "        i += 1",
                *store,
                "    return i",
            ]
        )

    def _add(self, addition: Addition, pad: str = "") -> None:
        field, at = self._layout.fields[addition.field], self._layout.at[addition.field]
        weight = self._name(addition.weight, pad)
        if addition.bin is None:
            exact = addition.weight.op in ("const", "float")
            self._lines.append(pad + _merged(f"totals[{at}]", weight, field, exact=exact))
            return
        place = self._name(addition.bin, pad)
        self._lines.append(f"{pad}if not np.isnan({weight}):")
        self._lines.append(f"{pad}    " + _merged(f"totals[{at} + {place}]", weight, field, exact=True))

    def _step(self, place: SequentialPlace, trace: Trace) -> None:
        """Advance a sequential state by the row, and add its events."""
        inputs = ", ".join(self._name(given) for given in trace.inputs[place.name])
        self._lines.append(
            f"closed = step_{place.name}(state_{place.name}, stack_{place.name}, depth_{place.name}, {inputs}, events)"
        )
        mine = [addition for addition in trace.additions if addition.event == place.name]
        if not mine:
            return
        row_names = dict(self._names)
        self._lines.append("for e in range(closed):")
        for number, name in enumerate(place.event):
            self._lines.append(f"    event_{name} = events[{number}, e]")
        for addition in mine:
            self._add(addition, "    ")
        self._names = row_names

    def _name(self, expression: Expression, pad: str = "") -> str:
        """Name of an expression's variable, which is written first where it is new."""
        if expression not in self._names:
            self._names[expression] = self._written(expression, pad)
        return self._names[expression]

    def _written(self, expression: Expression, pad: str) -> str:
        op, args = expression.op, expression.args
        if op == "const":
            return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}.get(str(args[0]), repr(args[0]))
        if op == "event":
            return f"event_{args[1]}"
        self._variables += 1
        variable = f"t{self._variables}"
        if op == "diff":
            self._diff(variable, expression, pad)
            return variable
        text = self._leaf(args[0]) if op == "leaf" else _text(op, args, [self._name(arg, pad) for arg in args])
        self._lines.append(f"{pad}{variable} = {text}")
        return variable

    def _leaf(self, name: str) -> str:
        if name == "soc_following_percent":
            return f"values[{self._columns.index('soc_percent')}, i + 1] if i + 1 < known else np.nan"
        return _SCRATCH[name] if name in _SCRATCH else f"values[{self._columns.index(name)}, i]"

    def _diff(self, variable: str, expression: Expression, pad: str) -> None:
        value, column, among, counts = expression.args
        now = self._name(value, pad)
        counted = None if counts is None else self._name(counts, pad)
        before = f"before_{column}_{among}"
        self._before[before] = self._carry[column, among]
        self._lines.append(f"{pad}{variable}_diff = {now} - {before}")
        if counted is None:
            self._lines += [f"{pad}{variable} = {variable}_diff", f"{pad}{before} = {now}"]
        else:
            self._lines += [
                f"{pad}{variable} = {variable}_diff if {counted} else np.nan",
                f"{pad}{before} = {now} if {counted} else {before}",
            ]


def _text(op: str, args: tuple[Expression, ...], operands: list[str]) -> str:
    if op in _UNARY:
        return _UNARY[op].format(*operands)
    if op in ("minimum", "maximum"):
        return f"np.{op}({operands[0]}, {operands[1]})"
    if op == "where":
        return f"{operands[1]} if {operands[0]} else {operands[2]}"
    if op == "float":
        return f"1.0 if {operands[0]} else 0.0" if args[0].kind == "bool" else f"float({operands[0]})"
    return f"{operands[0]} {op} {operands[1]}"


def _merged(place: str, value: str, field: Field, *, exact: bool) -> str:
    if field.reducer is np.add:
        return f"{place} += {value}" if exact else f"{place} += 0.0 if np.isnan({value}) else {value}"
    name = "min" if field.reducer is np.minimum else "max"
    return f"{place} = {name}({place}, {value})"
