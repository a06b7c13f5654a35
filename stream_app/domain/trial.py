"""One metric over a few rows, by hand: what the examples in the metrics' docstrings call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.asset import AssetSpec
from stream_app.domain import ingestion
from stream_app.domain import views as windows
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics._base import Metric
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet


def read(
    metric: type[Metric], *, dt_s: float = 1.0, nominal_capacity_ah: float | None = None, **columns: Sequence[float]
) -> float | list[float] | str:
    """Value of a metric over one asset's rows, ``dt_s`` apart and ended by the last; the reason where it is null.

    ``columns`` are some of ``stream_app.domain.rows.COLUMNS``.
    """
    n = len(next(iter(columns.values())))
    fleet = Fleet(Catalogue([metric()]), (86_400,))
    slot = fleet.slot("example")
    fleet.set_spec(slot, AssetSpec(nominal_capacity_ah=nominal_capacity_ah))
    index = np.arange(n)
    time_us = (index * dt_s * 1e6).astype(np.int64)
    arrays = {name: np.asarray(values, float) for name, values in columns.items()}
    ingestion.apply(fleet, Rows(np.full(n, slot), index, time_us, arrays))
    ingestion.finish(fleet, slot, n)
    lifetimes, _ = windows.current(fleet, np.array([slot]))
    reading = windows.read(fleet, lifetimes, closed=False).by_metric[metric.name]
    value: float | list[float] = np.asarray(reading.value[0]).tolist()
    return reading.reason[0] or value
