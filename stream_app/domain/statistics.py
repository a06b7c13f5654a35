"""Basic statistics that many metrics read: kept once per pane, whatever number of metrics uses them.

All are sums (or extremes) over rows, so panes merge exactly. Steps are left-hold: a row's reading times its duration.
In and out go by the sign of the current alone. ``rest_...`` are kept by the size of the current
(:mod:`stream_app.domain.rest`). ``trip_...`` are of round trips back to one level of the SoC, in the window where they
end; ``lowest_trip`` and ``highest_trip`` are the levels that have any. ``span_...`` are of charge between levels 20 %
apart, ``span_s`` of the time from one to the other; all are < 0 where the SoC falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.fields import MAX, MIN, SUM, At, Contribution, Field, histogram
from stream_app.domain.level_crossings import Crossings
from stream_app.domain.rest import LIMITS_A, by_limit
from stream_app.domain.samples import Samples
from stream_app.domain.soc_levels import SocLevels


@dataclass(frozen=True, slots=True)
class Statistic:
    """One basic statistic.

    Parameters
    ----------
    field
        How panes merge.
    contribute
        What each row adds.
    version
        A changed meaning has a new one: the statistic then begins anew in stored states, and the others go on.
    """

    field: Field
    contribute: Callable[[Samples], Contribution]
    version: int = 1


def _in(mask: str, column: Callable[[Samples], FloatArray]) -> Callable[[Samples], FloatArray]:
    return lambda s: np.where(getattr(s, mask), column(s), 0.0)


def _of_crossings(name: str) -> Callable[[Samples], Contribution]:
    """Sum of a number of the crossings and gaps; who names such a statistic names ``SocLevels`` too."""

    def contribute(s: Samples) -> Contribution:
        told: Crossings | None = s.events(SocLevels)
        return np.zeros(len(s)) if told is None else At(told.row, getattr(told, name))

    return contribute


def _level_of_trips(s: Samples) -> Contribution:
    told: Crossings | None = s.events(SocLevels)
    if told is None:
        return np.full(len(s), np.nan)
    return At(told.row, np.where(told.trip > 0, told.level, np.nan))


_RESTS = histogram(len(LIMITS_A))

#: By name. Units are in the names; in = while charging, out = while discharging.
STATISTICS: dict[str, Statistic] = {
    "rows": Statistic(SUM, lambda s: np.ones(len(s))),
    "valid_s": Statistic(SUM, lambda s: s.dt_s),
    "gap_s": Statistic(SUM, lambda s: s.gap_s),
    "gaps": Statistic(SUM, lambda s: (s.gap_s > 0).astype(float)),
    "rest_s": Statistic(_RESTS, lambda s: by_limit(s.current_a, s.dt_s), version=2),
    "rest_as": Statistic(_RESTS, lambda s: by_limit(s.current_a, s.charge_as)),
    "rest_j": Statistic(_RESTS, lambda s: by_limit(s.current_a, s.energy_j)),
    "charge_in_as": Statistic(SUM, _in("charge_step", lambda s: s.charge_as), version=2),
    "charge_out_as": Statistic(SUM, _in("discharge_step", lambda s: -s.charge_as), version=2),
    "energy_in_j": Statistic(SUM, _in("charge_step", lambda s: s.energy_j), version=2),
    "energy_out_j": Statistic(SUM, _in("discharge_step", lambda s: -s.energy_j), version=2),
    "soc_in_percent": Statistic(SUM, _in("charge_step", lambda s: s.soc_ahead_percent), version=2),
    "soc_out_percent": Statistic(SUM, _in("discharge_step", lambda s: -s.soc_ahead_percent), version=2),
    "metered_s": Statistic(SUM, lambda s: np.where(np.isnan(s.power_w), 0.0, s.dt_s)),
    "current_s": Statistic(SUM, lambda s: np.where(np.isnan(s.current_a), 0.0, s.dt_s)),
    "soc_moved_as": Statistic(SUM, lambda s: np.where(np.isnan(s.soc_ahead_percent), 0.0, np.abs(s.charge_as))),
    "level_trips": Statistic(SUM, _of_crossings("trip")),
    "lowest_trip": Statistic(MIN, _level_of_trips),
    "highest_trip": Statistic(MAX, _level_of_trips),
    "trip_in_j": Statistic(SUM, _of_crossings("in_j")),
    "trip_out_j": Statistic(SUM, _of_crossings("out_j")),
    "charge_trips": Statistic(SUM, _of_crossings("charged")),
    "trip_in_as": Statistic(SUM, _of_crossings("in_as")),
    "trip_out_as": Statistic(SUM, _of_crossings("out_as")),
    "trip_s": Statistic(SUM, _of_crossings("trip_s")),
    "spans": Statistic(SUM, _of_crossings("span")),
    "span_in_as": Statistic(SUM, _of_crossings("span_in_as")),
    "span_out_as": Statistic(SUM, _of_crossings("span_out_as")),
    "span_s": Statistic(SUM, _of_crossings("span_s")),
    "span_in_in": Statistic(SUM, _of_crossings("span_in_in")),
    "span_in_out": Statistic(SUM, _of_crossings("span_in_out")),
    "span_out_out": Statistic(SUM, _of_crossings("span_out_out")),
    "gap_in_j": Statistic(SUM, _of_crossings("gap_in_j")),
    "gap_out_j": Statistic(SUM, _of_crossings("gap_out_j")),
    "gaps_unfilled": Statistic(SUM, _of_crossings("unfilled")),
}
