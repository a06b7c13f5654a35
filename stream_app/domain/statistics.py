"""Basic statistics that many metrics read: kept once per pane, whatever number of metrics uses them.

All are sums (or a minimum) over rows, so panes merge exactly. Steps are left-hold: a row's reading times its duration.
``trip_...`` are of round trips back to one level of the SoC, in the window where they
end; ``span_...`` are of charge between levels 20 % apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import MIN, SUM, At, Binned, Contribution, Field, histogram
from stream_app.domain.samples import Samples
from stream_app.domain.soc_levels import LEVELS, Crossings, SocLevels

VERSION = 1


def _in(mask: str, column: Callable[[Samples], FloatArray]) -> Callable[[Samples], FloatArray]:
    return lambda s: np.where(getattr(s, mask), column(s), 0.0)


def _soc_resolution(s: Samples) -> FloatArray:
    step = np.abs(s.diff("soc_percent"))
    return np.where(step > 0, step, np.inf)


def _of_crossings(name: str) -> Callable[[Samples], Contribution]:
    """Sum of a number of the crossings; who names such a statistic names ``SocLevels`` too."""

    def contribute(s: Samples) -> Contribution:
        told: Crossings | None = s.events(SocLevels)
        return np.zeros(len(s)) if told is None else At(told.row, getattr(told, name))

    return contribute


def _level_trips(s: Samples) -> Contribution:
    told: Crossings | None = s.events(SocLevels)
    return np.zeros(len(s)) if told is None else Binned(told.level.astype(np.int64), told.trip, told.row)


#: Name: (how panes merge, what each row adds). Units are in the names; in = while charging, out = while discharging.
STATISTICS: dict[str, tuple[Field, Callable[[Samples], Contribution]]] = {
    "rows": (SUM, lambda s: np.ones(len(s))),
    "valid_s": (SUM, lambda s: s.dt_s),
    "gap_s": (SUM, lambda s: s.gap_s),
    "gaps": (SUM, lambda s: (s.gap_s > 0).astype(float)),
    "charge_s": (SUM, _in("charge_step", lambda s: s.dt_s)),
    "discharge_s": (SUM, _in("discharge_step", lambda s: s.dt_s)),
    "rest_s": (SUM, _in("rest_step", lambda s: s.dt_s)),
    "charge_in_as": (SUM, _in("charge_step", lambda s: s.charge_as)),
    "charge_out_as": (SUM, _in("discharge_step", lambda s: -s.charge_as)),
    "energy_in_j": (SUM, _in("charge_step", lambda s: s.energy_j)),
    "energy_out_j": (SUM, _in("discharge_step", lambda s: -s.energy_j)),
    "soc_in_percent": (SUM, _in("charge_step", lambda s: s.soc_ahead_percent)),
    "soc_out_percent": (SUM, _in("discharge_step", lambda s: -s.soc_ahead_percent)),
    "metered_s": (SUM, lambda s: np.where(np.isnan(s.power_w), 0.0, s.dt_s)),
    "current_s": (SUM, lambda s: np.where(np.isnan(s.current_a), 0.0, s.dt_s)),
    "soc_resolution_percent": (MIN, _soc_resolution),
    "level_trips": (histogram(LEVELS), _level_trips),
    "trip_in_j": (SUM, _of_crossings("in_j")),
    "trip_out_j": (SUM, _of_crossings("out_j")),
    "charge_trips": (SUM, _of_crossings("charged")),
    "trip_in_as": (SUM, _of_crossings("in_as")),
    "trip_out_as": (SUM, _of_crossings("out_as")),
    "trip_s": (SUM, _of_crossings("trip_s")),
    "spans": (SUM, _of_crossings("span")),
    "span_as": (SUM, _of_crossings("span_as")),
    "span_as_squared": (SUM, _of_crossings("span_as_squared")),
}
