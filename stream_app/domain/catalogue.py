"""All metrics as one: which fields a pane has, what rows add to them, and every reading of given totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import Columns, Field, Layout
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import Metric, MetricValues, Totals, memories, statistic_key
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import Memory
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.statistics import STATISTICS

#: Always kept: windows need to know whether anything is in them, and readings how much time is covered.
_ALWAYS = ("rows", "valid_s")

Remembered = Mapping[type[Memory], Sequence[tuple[FloatArray, FloatArray]]]


class Catalogue:
    """The metrics that a deployment computes."""

    def __init__(self, metrics: Sequence[Metric] = tuple(REGISTRY.values())) -> None:
        self.metrics = tuple(metrics)
        self.memories: tuple[Memory, ...] = tuple(memory() for memory in memories(metrics))
        self._statistics = tuple(dict.fromkeys([*_ALWAYS, *(name for m in metrics for name in m.statistics)]))
        fields: dict[str, Field] = {statistic_key(name): STATISTICS[name][0] for name in self._statistics}
        for metric in metrics:
            fields |= {metric.prefix() + name: field for name, field in metric.fields.items()}
        self.layout = Layout(fields)
        self.rows_at = self.layout.at[statistic_key("rows")]
        self._valid_at = self.layout.at[statistic_key("valid_s")]

    def columns(self, samples: Samples) -> Columns:
        """What each row adds to each field."""
        columns: dict[str, object] = {statistic_key(name): STATISTICS[name][1](samples) for name in self._statistics}
        for metric in self.metrics:
            prefix = metric.prefix()
            columns |= {prefix + name: column for name, column in metric.contribute(samples).items()}
        return columns  # type: ignore[return-value]  # the metrics' own annotations say Contribution

    def read(
        self, totals: FloatArray, span_s: FloatArray, specs: AssetSpecs, remembered: Remembered | None = None
    ) -> dict[str, MetricValues]:
        """Every metric's reading of ``k`` panes: totals ``(width, k)``, the time that each covers, the specs of each.

        ``remembered`` holds the memories' states of a lifetime; windows have none.
        """
        return {
            metric.name: metric.value(Totals(totals, self.layout, metric.prefix(), span_s, remembered), specs)
            for metric in self.metrics
        }

    def coverage(self, totals: FloatArray, span_s: FloatArray) -> FloatArray:
        """Share of the time that valid steps cover, shape ``(k,)``; NaN while there is no time."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(span_s > 0, np.minimum(totals[self._valid_at] / span_s, 1.0), np.nan)
