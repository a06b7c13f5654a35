"""The traced values as text: one function that reads every metric of a window, and where it puts each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from stream_app.domain.expression_code import ExpressionWriter
from stream_app.domain.expressions import Bins, Expression
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.value_tracing import TracedValue

#: Columns of what is read of every window: its coverage among the numbers, its source offset among the whole ones.
COVERAGE, SEQ = 0, 0
#: Metrics that one function reads; what they have in common is computed once.
_TOGETHER: Final = 12


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Where the reading of a metric stands in a line of numbers.

    Parameters
    ----------
    value
        Its first column; of ``whole`` values a column of the whole numbers.
    bins
        How many columns a histogram has; None: it is one number.
    sigma, unchecked
        Columns of the uncertainty and of the unchecked value (the first of as many as the value has); None: none.
    reasons
        What the reason's code means; code 0 is "": the value is defined.
    """

    name: str
    unit: str
    timed: bool
    whole: bool
    value: int
    bins: int | None
    sigma: int | None
    unchecked: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadingLayout:
    """The columns of all metrics, and how many numbers and whole numbers a window's line has."""

    metrics: tuple[ReadingColumns, ...]
    numbers: int
    whole: int


def reading_layout(values: Sequence[TracedValue]) -> ReadingLayout:
    """Give every number of a reading its column, in the order in which updates tell them."""
    numbers, whole = COVERAGE + 1, SEQ + 1
    columns = []
    for traced in values:
        metric = traced.metric
        bins = len(traced.value.bins) if isinstance(traced.value, Bins) else None
        is_whole = metric.count and bins is None
        value, sigma, unchecked = whole if is_whole else numbers, None, None
        if is_whole:
            whole += 1
        else:
            numbers += bins or 1
        if traced.sigma is not None:
            sigma, numbers = numbers, numbers + 1
        if traced.unchecked is not None:
            unchecked, numbers = numbers, numbers + (bins or 1)
        columns.append(
            ReadingColumns(
                metric.name, metric.unit, metric.timed, is_whole, value, bins, sigma, unchecked, traced.reasons
            )
        )
    return ReadingLayout(tuple(columns), numbers, whole)


def write_values_source(values: Sequence[TracedValue], layout: ReadingLayout, residues: dict[str, int]) -> list[str]:
    """Write ``write_values`` and the functions that it calls: to compile one long function takes twice as long.

    Parameters
    ----------
    values, layout
        What is read, and where it is put.
    residues
        Where the residue of each sequential state begins, by name.
    """
    parameters = "totals, span_s, specs, residues, numbers, whole, codes"
    numbered = [*enumerate(zip(values, layout.metrics, strict=True))]
    parts, calls = [], []
    for first in range(0, len(numbered), _TOGETHER):
        lines, name = _lines(numbered[first : first + _TOGETHER], residues), f"write_values_{first}"
        parts.append("\n".join([f"def {name}({parameters}):", *(f"    {line}" for line in lines)]))
        calls.append(f"    {name}({parameters})")
    return [*parts, "\n".join([f"def write_values({parameters}):", *calls])]


def _lines(numbered: Sequence[tuple[int, tuple[TracedValue, ReadingColumns]]], residues: dict[str, int]) -> list[str]:
    """Read some metrics, each with its number."""
    writer = _Writer(residues)
    for number, (traced, columns) in numbered:
        if columns.whole and isinstance(traced.value, Expression):
            value = writer.name(traced.value)
            writer.lines.append(f"whole[{columns.value}] = 0 if np.isnan({value}) else int({value})")
        else:
            writer.put("numbers", columns.value, traced.value)
        if columns.sigma is not None and traced.sigma is not None:
            writer.put("numbers", columns.sigma, traced.sigma)
        if columns.unchecked is not None and traced.unchecked is not None:
            writer.put("numbers", columns.unchecked, traced.unchecked)
        writer.lines.append(f"codes[{number}] = int({writer.name(traced.code)})")
    return [*(f"{field.name} = specs[{at}]" for at, field in enumerate(fields(AssetSpecs))), *writer.lines]


def write_residues_source(states: Sequence[tuple[SequentialState, int, int]]) -> tuple[str, dict[str, int]]:
    """Write ``write_residues``, and where each state's residue begins; of each state its part of a line is given."""
    lines, at = ["    at = 0"], 0
    places = {}
    for number, (state, start, stop) in enumerate(states):
        if state.residue_width:
            places[state.name] = at
            lines.append(
                f"    residue_{state.name}(line[{start}:{stop}], items[at : at + lengths[{number}]], "
                f"residues[{at} : {at + state.residue_width}])"
            )
            at += state.residue_width
        lines.append(f"    at += lengths[{number}]")
    return "\n".join(["def write_residues(line, items, lengths, residues):", *lines]), places


class _Writer(ExpressionWriter):
    def __init__(self, residues: dict[str, int]) -> None:
        super().__init__()
        self._residues = residues

    def leaf(self, expression: Expression, pad: str) -> str | None:
        """Text of a total, of a part of a residue, of a spec or of the time covered."""
        op, args = expression.op, expression.args
        if op == "total":
            return f"totals[{args[0]}]"
        if op == "residue":
            return f"residues[{self._residues[args[0].name] + args[1]}]"
        return str(args[0]) if op == "leaf" else None

    def put(self, array: str, at: int, value: Expression | Bins) -> None:
        """Write a number, or one per bin."""
        each = value.bins if isinstance(value, Bins) else (value,)
        for i, one in enumerate(each):
            self.lines.append(f"{array}[{at + i}] = {self.name(one)}")
