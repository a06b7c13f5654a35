"""What metrics read from totals, as expressions.

A metric's ``value`` runs once with :class:`TracedTotals` and specs that are expressions. It returns expressions too: of
the value, of the reason's code, of the uncertainty and of the unchecked value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from stream_app.columns.arrays import FloatArray
from stream_app.domain.errors import UntraceableError
from stream_app.domain.expressions import Bins, Expression, Graph
from stream_app.domain.fields import Layout
from stream_app.domain.metrics._base import Metric, MetricValues, Reasons, Totals
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs


class TracedTotals(Totals):
    """Totals that are expressions; a histogram is one of :class:`Bins`."""

    def __init__(self, graph: Graph, layout: Layout, prefix: str) -> None:
        super().__init__(cast(FloatArray, None), layout, prefix, cast(FloatArray, graph.leaf("span_s")), {})
        self._graph = graph

    def of(self, metric: type[Metric]) -> Totals:
        """The same totals as another metric sees them."""
        return TracedTotals(self._graph, self._layout, metric.prefix())

    def _lines(self, at: int, width: int) -> FloatArray:
        totals = [self._graph.node("total", at + i) for i in range(width)]
        return cast(FloatArray, totals[0] if width == 1 else Bins(totals))

    def residue(self, state: type[SequentialState]) -> FloatArray:
        """Return what the state holds that no event has told yet."""
        numbers = [self._graph.node("residue", state, i) for i in range(state.residue_width)]
        return cast(FloatArray, Bins(numbers))


@dataclass(frozen=True, slots=True)
class TracedValue:
    """A metric's value in a window, as expressions.

    Parameters
    ----------
    value
        One expression, or one per bin of a histogram.
    code
        Number of the reason among ``reasons``.
    """

    metric: Metric
    value: Expression | Bins
    code: Expression
    reasons: tuple[str, ...]
    sigma: Expression | None
    unchecked: Expression | Bins | None


def trace_values(metrics: Sequence[Metric], layout: Layout) -> tuple[TracedValue, ...]:
    """Trace the value of every metric.

    Raises
    ------
    UntraceableError
        A metric does with its totals what cannot be compiled; names the metric and the cure.
    """
    graph = Graph()
    specs = AssetSpecs(*(cast(Any, graph.leaf(field.name)) for field in fields(AssetSpecs)))
    traced = []
    for metric in metrics:
        try:
            values = metric.value(TracedTotals(graph, layout, metric.prefix()), specs)
            traced.append(_traced(graph, metric, values))
        except UntraceableError as error:
            raise error.of(metric.name) from None
    return tuple(traced)


def _traced(graph: Graph, metric: Metric, values: MetricValues) -> TracedValue:
    def lifted(given: Any) -> Any:
        return given if given is None or isinstance(given, Bins) else graph.lift(given)

    if not isinstance(values.reason, Reasons):
        raise UntraceableError("reasons of its own", "build the values by defined_where")
    return TracedValue(
        metric=metric,
        value=lifted(values.value),
        code=lifted(values.reason.codes),
        reasons=values.reason.names,
        sigma=lifted(values.sigma),
        unchecked=lifted(values.unchecked),
    )
