"""All metrics as one: which fields a pane has, what rows add to them, and every reading of given totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import Columns, Field, Layout
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import Metric, Reading, Totals, sequential_states, statistic_key
from stream_app.domain.rows import COLUMNS
from stream_app.domain.samples import Among, Carried, Samples
from stream_app.domain.sequential import SequentialState
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.statistics import STATISTICS

#: Always kept: windows need to know whether anything is in them, and readings how much time is covered.
_ALWAYS = ("rows", "valid_s")

States = Mapping[type[SequentialState], Sequence[tuple[FloatArray, FloatArray]]]


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
        self.sequential_states: tuple[SequentialState, ...] = tuple(state() for state in sequential_states(metrics))
        self._statistics = tuple(dict.fromkeys([*_ALWAYS, *(name for m in metrics for name in m.statistics)]))
        fields: dict[str, Field] = {statistic_key(name): STATISTICS[name][0] for name in self._statistics}
        for metric in metrics:
            fields |= {metric.prefix() + name: field for name, field in metric.fields.items()}
        self.layout = Layout(fields)
        self.rows_at = self.layout.at[statistic_key("rows")]
        self.valid_at = self.layout.at[statistic_key("valid_s")]
        #: What each metric's value rests on: fields of a pane and sequential states, as stored states name them.
        self.rests_on = {metric.name: frozenset(_rests_on(metric)) for metric in metrics}

    @cached_property
    def carried(self) -> tuple[Carried, ...]:
        """Readings that some metric, statistic or sequential state compares with those of the asset's next row.

        They are found by asking all of them about two made rows, once as rows that count and once as rows that wait.
        """
        asked: set[Carried] = set()
        rows, waiting = _Asked(self.columns, asked), _Asked(self.columns, asked)
        for state in self.sequential_states:
            _, _, events = state.advance(state.start()[None], [np.zeros(0)], rows)
            rows.set_events(type(state), events)
        for samples in (rows, waiting):
            self.contributions(samples)
        return tuple(sorted(asked))

    def contributions(self, samples: Samples) -> Columns:
        """What each row adds to each field."""
        columns: dict[str, object] = {statistic_key(name): STATISTICS[name][1](samples) for name in self._statistics}
        for metric in self.metrics:
            prefix = metric.prefix()
            columns |= {prefix + name: column for name, column in metric.contribute(samples).items()}
        return columns  # type: ignore[return-value]  # the metrics' own annotations say Contribution

    def read(
        self, totals: FloatArray, span_s: FloatArray, specs: AssetSpecs, states: States | None = None
    ) -> dict[str, Reading]:
        """Every metric's reading of ``k`` panes: totals ``(width, k)``, the time that each covers, the specs of each.

        ``states`` holds numbers and tails of the lifetimes' sequential states; windows have none.
        """
        return {
            metric.name: metric.value(Totals(totals, self.layout, metric.prefix(), span_s, states), specs)
            for metric in self.metrics
        }

    def coverage(self, totals: FloatArray, span_s: FloatArray) -> FloatArray:
        """Share of the time that valid steps cover, shape ``(k,)``; NaN while there is no time."""
        return share(totals[self.valid_at], span_s)


def share(valid_s: FloatArray, span_s: FloatArray) -> FloatArray:
    """Share of a time that is valid, at most 1; NaN of no time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(span_s > 0, np.minimum(valid_s / span_s, 1.0), np.nan)


def _rests_on(metric: Metric) -> list[str]:
    own = [metric.prefix() + name for name in metric.fields]
    return [*own, *map(statistic_key, metric.statistics), *(state.key() for state in metric.sequential_states)]


class _Asked(Samples):
    """Two rows of one asset, a charging and a discharging one, that note which differences they are asked for."""

    def __init__(self, columns: tuple[str, ...], asked: set[Carried]) -> None:
        reading = np.array([1.0, -1.0])
        super().__init__(
            asset=np.zeros(2, np.int64),
            starts=np.zeros(1, np.int64),
            values={name: reading + 50.0 if name == "soc_percent" else reading for name in columns},
            soc_following_percent=np.array([49.0, np.nan]),
            dt_s=np.array([1.0, 0.0]),
            valid=np.array([True, False]),
            gap_s=np.zeros(2),
            specs=AssetSpecs.of(AssetSpec()),
            carried=(),
            carry=np.zeros((1, 0)),
        )
        self._asked = asked

    def diff(self, column: str, among: Among = "any") -> FloatArray:
        self._asked.add((column, among))
        return np.array([np.nan, self[column][1] - self[column][0]])
