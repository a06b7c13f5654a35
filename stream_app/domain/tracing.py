"""What metrics add per row, as expressions.

A metric's ``contribute`` and every statistic run once with :class:`TracedSamples`, whose columns are
:class:`Expression` in place of arrays. :mod:`stream_app.domain.row_code` writes the expressions as the body of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.errors import UntraceableError
from stream_app.domain.expressions import Expression, Graph
from stream_app.domain.fields import At, Binned, Columns
from stream_app.domain.samples import Among, Carried, Samples
from stream_app.domain.sequential import SequentialState


class TracedSamples(Samples):
    """Samples whose columns are expressions."""

    def __init__(self, graph: Graph, columns: Sequence[str], states: Sequence[SequentialState]) -> None:
        leaf = cast("Callable[..., Any]", graph.leaf)
        super().__init__(
            asset=np.zeros(1, np.int64),
            starts=np.zeros(1, np.int64),
            values={name: leaf(name) for name in columns},
            soc_following_percent=leaf("soc_following_percent"),
            dt_s=leaf("dt_s"),
            valid=leaf("valid", "bool"),
            gap_s=leaf("gap_s"),
            carried=(),
            carry=np.zeros((1, 0)),
        )
        self._graph = graph
        for state in states:
            told = {name: graph.node("event", state.name, name) for name in state.event}
            self.set_events(type(state), state.events(graph.node("event", state.name, "row", kind="int"), told))

    def diff(self, column: str, among: Among = "any") -> FloatArray:
        """Difference to the value before, which the loop keeps."""
        charging, discharging = cast("Any", self.charging), cast("Any", self.discharging)
        counts = {"any": None, "charging": charging, "discharging": discharging}[among]
        return cast(FloatArray, self._graph.node("diff", cast("Any", self[column]), column, among, counts))


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added to a field.

    Parameters
    ----------
    field
        Its key in the layout.
    weight
        What is added; per row, or per event of ``event``.
    bin
        Into which bin of a histogram; None: the field is one number.
    event
        Name of the sequential state whose events add; None: rows add.
    """

    field: str
    weight: Expression
    bin: Expression | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that rows add, field by field, and what the steps of the sequential states read.

    ``carried`` are the readings that are compared with those of an asset's next row.
    """

    additions: tuple[Addition, ...]
    inputs: Mapping[str, tuple[Expression, ...]]
    carried: tuple[Carried, ...]


def trace(
    contributors: Iterable[tuple[str, Callable[[Samples], Columns]]],
    columns: Sequence[str],
    states: Sequence[SequentialState],
) -> Trace:
    """Trace what adds to fields.

    Parameters
    ----------
    contributors
        Name of each statistic and metric, and what gives its fields' columns.
    columns
        What a row may have measured.
    states
        The sequential states whose events are added too.

    Raises
    ------
    UntraceableError
        A metric does with a column what cannot be compiled; names the metric and the cure.
    """
    graph = Graph()
    samples = TracedSamples(graph, columns, states)
    additions: list[Addition] = []
    for name, contribute in contributors:
        try:
            additions += [_addition(graph, field, column) for field, column in contribute(samples).items()]
        except UntraceableError as error:
            raise error.of(name) from None
    inputs = {state.name: tuple(map(graph.lift, state.inputs(samples))) for state in states}
    carried = tuple(sorted({(node.args[1], node.args[2]) for node in graph.nodes("diff")}))
    return Trace(tuple(additions), inputs, carried)


def _addition(graph: Graph, field: str, column: object) -> Addition:
    if isinstance(column, At):
        return Addition(field, graph.lift(column.weight), event=_event(column.row))
    if isinstance(column, Binned):
        event = None if column.row is None else _event(column.row)
        return Addition(field, graph.lift(column.weight), graph.lift(column.bin), event)
    return Addition(field, graph.lift(column))


def _event(row: object) -> str:
    """Name of the sequential state whose events' rows these are."""
    if not isinstance(row, Expression) or row.op != "event":
        raise UntraceableError("rows that are not those of a sequential state's events", "pass its `row` on as it is")
    return str(row.args[0])
