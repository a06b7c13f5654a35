"""Means of what only some assets' cells tell: the base of their metrics."""

from typing import ClassVar

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.cell_readings import CellReadings, CellRows
from stream_app.domain.fields import Field
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)


def weighed(told: CellRows, reading: FloatArray, duration_s: FloatArray) -> Columns:
    """Reading x duration, and the duration where there is a reading."""
    return {
        "reading_s": At(told.row, reading * duration_s),
        "read_s": At(told.row, np.where(np.isnan(reading), 0.0, duration_s)),
    }


class CellMean(Metric):
    """Mean of a reading over steps, by their durations."""

    fields: ClassVar[dict[str, Field]] = {"reading_s": SUM, "read_s": SUM}
    sequential_states = (CellReadings,)
    #: Names of :class:`CellRows`: the reading, and the duration by which it counts.
    reading: ClassVar[str]
    duration: ClassVar[str] = "dt_s"

    def contribute(self, samples: Samples) -> Columns:
        """Reading x duration, and the duration where there is a reading."""
        told: CellRows | None = samples.events(CellReadings)
        return {} if told is None else weighed(told, getattr(told, self.reading), getattr(told, self.duration))

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps``."""
        with defined_where({"no_valid_steps": totals["read_s"] > 0}) as defined:
            return defined(totals["reading_s"] / totals["read_s"])
