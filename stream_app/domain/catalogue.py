"""All metrics as one: which fields a pane has, what rows add to them, and every reading of given totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import Columns, Field, Layout
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import Metric, MetricValues, Totals, sequential_states, statistic_key, with_reads
from stream_app.domain.rows import COLUMNS
from stream_app.domain.samples import Carried, Samples
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.statistics import STATISTICS
from stream_app.domain.tracing import Trace, trace
from stream_app.domain.value_code import ReadingLayout, reading_layout
from stream_app.domain.value_tracing import TracedValue, trace_values

#: Always kept: windows need to know whether anything is in them, and readings how much time is covered.
_ALWAYS = ("rows", "valid_s")

Residues = Mapping[type[SequentialState], FloatArray]


class Catalogue:
    """The metrics that a deployment computes.

    Parameters
    ----------
    metrics
        The metrics.
    columns
        What a row may have measured, in the order in which state keeps it.
    """

    def __init__(
        self, metrics: Sequence[Metric] = tuple(REGISTRY.values()), columns: tuple[str, ...] = COLUMNS
    ) -> None:
        self.metrics = tuple(metrics)
        self.columns = columns
        self._kept = with_reads(self.metrics)
        self.sequential_states: tuple[SequentialState, ...] = tuple(state() for state in sequential_states(self._kept))
        self._statistics = tuple(dict.fromkeys([*_ALWAYS, *(name for m in self._kept for name in m.statistics)]))
        fields: dict[str, Field] = {statistic_key(name): STATISTICS[name].field for name in self._statistics}
        for metric in self._kept:
            fields |= {metric.prefix() + name: field for name, field in metric.fields.items()}
        self.layout = Layout(fields)
        self.rows_at = self.layout.at[statistic_key("rows")]
        self.valid_at = self.layout.at[statistic_key("valid_s")]
        #: What each metric's value rests on: fields of a pane and sequential states, as stored states name them.
        self.rests_on = {metric.name: frozenset(_rests_on(metric)) for metric in metrics}

    def contributors(self) -> Iterator[tuple[str, Callable[[Samples], Columns]]]:
        """Name of each statistic and metric, and what gives its fields' columns."""
        for name in self._statistics:
            yield name, partial(_statistic, name)
        for metric in self._kept:
            yield metric.name, partial(_contribution, metric)

    @cached_property
    def trace(self) -> Trace:
        """What rows add, as expressions.

        Raises
        ------
        UntraceableError
            A metric does with a column what cannot be compiled.
        """
        return trace(self.contributors(), self.columns, self.sequential_states)

    @cached_property
    def values(self) -> tuple[TracedValue, ...]:
        """Every metric's value, as expressions.

        Raises
        ------
        UntraceableError
            A metric does with its totals what cannot be compiled.
        """
        return trace_values(self.metrics, self.layout)

    @cached_property
    def reading_layout(self) -> ReadingLayout:
        """Where each number of a reading stands."""
        return reading_layout(self.values)

    @property
    def carried(self) -> tuple[Carried, ...]:
        """Readings that some metric, statistic or sequential state compares with those of the asset's next row."""
        return self.trace.carried

    def contributions(self, samples: Samples) -> Columns:
        """What each row adds to each field."""
        return {field: column for _, columns in self.contributors() for field, column in columns(samples).items()}

    def read(
        self, totals: FloatArray, span_s: FloatArray, specs: AssetSpecs, residues: Residues
    ) -> dict[str, MetricValues]:
        """Every metric's reading of ``k`` panes, uncompiled: what the compiled readings must equal.

        Totals are ``(width, k)``; ``span_s`` is the time that each covers, ``residues`` what the sequential states of
        lifetimes add, ``(k, residue_width)``.
        """
        return {
            metric.name: metric.value(Totals(totals, self.layout, metric.prefix(), span_s, residues), specs)
            for metric in self.metrics
        }


def share(valid_s: FloatArray, span_s: FloatArray) -> FloatArray:
    """Share of a time that is valid, at most 1; NaN of no time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(span_s > 0, np.minimum(valid_s / span_s, 1.0), np.nan)


def _rests_on(metric: Metric) -> list[str]:
    return [
        key
        for one in with_reads([metric])
        for key in (
            *(one.prefix() + name for name in one.fields),
            *map(statistic_key, one.statistics),
            *(state.key() for state in one.sequential_states),
        )
    ]


def _statistic(name: str, samples: Samples) -> Columns:
    return {statistic_key(name): STATISTICS[name].contribute(samples)}


def _contribution(metric: Metric, samples: Samples) -> Columns:
    prefix = metric.prefix()
    return {prefix + name: column for name, column in metric.contribute(samples).items()}
