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

from stream_app.domain.expression_code import ExpressionWriter
from stream_app.domain.expressions import Expression
from stream_app.domain.fields import Field, Layout
from stream_app.domain.samples import Carried
from stream_app.domain.tracing import Addition, Trace

_AT_HAND: Final = {"dt_s": "dt_s[i]", "valid": "valid[i]", "gap_s": "gap_s[i]"}
#: Of rows that wait: how long they hold is not known yet.
_WAITING: Final = {"dt_s": "0.0", "valid": "False", "gap_s": "0.0"}


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
    return _Writer(layout, columns, carry, _AT_HAND).add_rows(trace, list(sequential))


def add_waiting_source(trace: Trace, layout: Layout, columns: Sequence[str], carry: Mapping[Carried, int]) -> str:
    """Write ``add_waiting``, which adds rows whose durations are not known yet; the asset's line stays as it is.

    Sequential states take a row only when its duration is known, so there are no events.
    """
    return _Writer(layout, columns, carry, _WAITING).add_waiting(trace)


class _Writer(ExpressionWriter):
    def __init__(
        self, layout: Layout, columns: Sequence[str], carry: Mapping[Carried, int], at_hand: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._layout, self._columns, self._carry, self._at_hand = layout, columns, carry, at_hand
        self._before: dict[str, int] = {}  # variable with the value before: its place in the line

    def add_rows(self, trace: Trace, sequential: list[SequentialPlace]) -> str:
        body = self._body(trace, sequential)
        load = self._load()
        for place in sequential:  # once: each cut of an array is counted
            load += [
                f"    state_{place.name} = line[{place.start}:{place.stop}]",
                f"    stack_{place.name} = stacks[{place.number}]",
                f"    depth_{place.name} = depths[{place.number} : {place.number + 1}]",
            ]
        return "\n".join(
            [
                "def add_rows(",
                "    i, stop, begin_us, end_us, known, scratch, totals, line, stacks, depths, events",
                "):",
                "    time_us, dt_s, valid, gap_s, values = scratch",
                *load,
                "    while i < stop and begin_us <= time_us[i] and time_us[i] < end_us:",
                *body,
                "        i += 1",
                *(f"    line[{at}] = {name}" for name, at in self._before.items()),
                "    return i",
            ]
        )

    def add_waiting(self, trace: Trace) -> str:
        body = self._body(trace, [])
        return "\n".join(
            [
                "def add_waiting(stop, known, values, totals, line):",
                *self._load(),
                "    for i in range(stop):",
                *body,
            ]
        )

    def _body(self, trace: Trace, sequential: list[SequentialPlace]) -> list[str]:
        for addition in trace.additions:
            if addition.event is None:
                self._add(addition)
        for place in sequential:
            self._step(place, trace)
        return [f"        {line}" for line in self.lines]

    def _load(self) -> list[str]:
        return [f"    {name} = line[{at}]" for name, at in self._before.items()]

    def _add(self, addition: Addition, pad: str = "") -> None:
        field, at = self._layout.fields[addition.field], self._layout.at[addition.field]
        weight = self.name(addition.weight, pad)
        if addition.bin is None:
            exact = addition.weight.op in ("const", "float")
            self.lines.append(pad + _merged(f"totals[{at}]", weight, field, exact=exact))
            return
        row_names = dict(self._names)
        if _compares_rows(addition.bin):  # which each row must do
            self.name(addition.bin, pad)
            row_names = dict(self._names)
        self.lines.append(f"{pad}if not np.isnan({weight}):")
        place = self.name(addition.bin, pad + "    ")  # of few rows mostly, such as those at rest
        self.lines.append(f"{pad}    " + _merged(f"totals[{at} + {place}]", weight, field, exact=True))
        self._names = row_names

    def _step(self, place: SequentialPlace, trace: Trace) -> None:
        """Advance a sequential state by the row, and add its events."""
        inputs = ", ".join(self.name(given) for given in trace.inputs[place.name])
        self.lines.append(
            f"closed = step_{place.name}(state_{place.name}, stack_{place.name}, depth_{place.name}, {inputs}, events)"
        )
        mine = [addition for addition in trace.additions if addition.event == place.name]
        if not mine:
            return
        row_names = dict(self._names)
        self.lines.append("for e in range(closed):")
        for number, name in enumerate(place.event):
            self.lines.append(f"    event_{name} = events[{number}, e]")
        for addition in mine:
            self._add(addition, "    ")
        self._names = row_names

    def leaf(self, expression: Expression, pad: str) -> str | None:
        """Text of a column, of an event's number or of a difference to the row before."""
        op, args = expression.op, expression.args
        if op == "event":
            return f"event_{args[1]}"
        if op == "diff":
            return self._diff(expression, pad)
        return self._column(args[0]) if op == "leaf" else None

    def _column(self, name: str) -> str:
        if name == "soc_following_percent":
            return f"values[{self._columns.index('soc_percent')}, i + 1] if i + 1 < known else np.nan"
        return self._at_hand[name] if name in self._at_hand else f"values[{self._columns.index(name)}, i]"

    def _diff(self, expression: Expression, pad: str) -> str:
        value, column, among, counts = expression.args
        now = self.name(value, pad)
        counted = None if counts is None else self.name(counts, pad)
        before = f"before_{column}_{among}"
        self._before[before] = self._carry[column, among]
        difference = f"diff_{column}_{among}"
        if counted is None:
            self.lines += [f"{pad}{difference} = {now} - {before}", f"{pad}{before} = {now}"]
        else:
            self.lines += [
                f"{pad}{difference} = {now} - {before} if {counted} else np.nan",
                f"{pad}{before} = {now} if {counted} else {before}",
            ]
        return difference


def _compares_rows(expression: Expression) -> bool:
    """Whether an expression needs a reading of the row before."""
    return expression.op == "diff" or any(_compares_rows(a) for a in expression.args if isinstance(a, Expression))


def _merged(place: str, value: str, field: Field, *, exact: bool) -> str:
    if field.reducer is np.add:
        return f"{place} += {value}" if exact else f"{place} += 0.0 if np.isnan({value}) else {value}"
    name = "min" if field.reducer is np.minimum else "max"
    return f"{place} = {name}({place}, {value})"
