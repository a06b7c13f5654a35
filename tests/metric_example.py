"""One metric over a few rows: the function that the examples in the metrics' docstrings call.

An example runs in an interpreter that is started in the repository's folder, after one line::

    from tests.metric_example import compute
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.asset import AssetSpec
from stream_app.domain import ingestion, views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics._base import MetricValues
from stream_app.domain.rows import Rows
from stream_app.domain.state import Fleet

#: All metrics, whichever is asked for: the rows' loop of each set of metrics is compiled anew.
CATALOGUE = Catalogue()


def compute(
    metric: str,
    *,
    dt_s: float = 1.0,
    time_s: Sequence[float] | None = None,
    nominal_capacity_ah: float | None = None,
    spec: Mapping[str, float] | None = None,
    **columns: Sequence[float | None],
) -> float | list[float] | str:
    """Compute the lifetime value of a metric over one asset's rows; the reason where it is null.

    Parameters
    ----------
    metric
        Name of the metric.
    dt_s, time_s
        Time from row to row, or the time of each row since the first one [s]. No row comes after the last one.
    nominal_capacity_ah
        Nominal capacity, if the spec is to have one.
    spec
        More of the spec, by its fields' names.
    columns
        Readings by column, such as ``current_a=[40, -40]``; None: not measured. Columns are those of
        ``stream_app.domain.rows.COLUMNS``.
    """
    values = compute_all(
        metric, dt_s=dt_s, time_s=time_s, nominal_capacity_ah=nominal_capacity_ah, spec=spec, **columns
    )
    value: float | list[float] = np.asarray(values.value[0]).tolist()
    return values.reason[0] or value


def compute_all(
    metric: str,
    *,
    dt_s: float = 1.0,
    time_s: Sequence[float] | None = None,
    nominal_capacity_ah: float | None = None,
    spec: Mapping[str, float] | None = None,
    **columns: Sequence[float | None],
) -> MetricValues:
    """Compute the same with the uncertainty and the unchecked value."""
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    n = len(next(iter(arrays.values())))
    fleet = Fleet(CATALOGUE, (86_400,))
    slot = fleet.slot("example")
    fleet.set_spec(slot, AssetSpec.model_validate({"nominal_capacity_ah": nominal_capacity_ah, **(spec or {})}))
    times_s = np.arange(n) * dt_s if time_s is None else np.array(time_s)
    ingestion.apply(fleet, Rows(np.full(n, slot), np.arange(n), (times_s * 1e6).astype(np.int64), arrays))
    ingestion.finish(fleet, slot, n)
    return views.read(fleet, views.current(fleet, np.array([slot])), closed=False).by_metric[metric]
