"""Stored states of many assets as columns: what a list of a fleet shows and is ordered by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from schemas.asset import is_upload
from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.durations import FIRST_GAP_S, GAP_PERIODS
from stream_app.domain.reading import LIFETIME
from stream_app.domain.rest import LARGEST_C_RATE_PER_H, LIMITS_A
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Readings
from stream_app.usecases.asset_views import rows_of

DAY_US: Final = 86_400_000_000
_DAY_ENERGIES: Final = ("energy_in_kwh", "energy_out_kwh")
#: What the newest row says; of an asset without one, or without a current and a power, it is not known.
UNKNOWN, DISCHARGING, IDLE, CHARGING = range(4)


@dataclass(frozen=True, slots=True)
class FleetRows:
    """``k`` assets, each array of shape ``(k,)``.

    Parameters
    ----------
    rows, rejected
        Rows applied, and rows that came too late or whose stamps are not plausible.
    last_us
        Newest stamp [us]; NEVER before the first row.
    silent_after_s
        The asset is silent when nothing has come for so long [s]: a longer step would be a gap.
    is_upload
        Whether it is an upload.
    doing
        CHARGING, DISCHARGING or IDLE (within the rest band) by the newest row that is taken; else UNKNOWN.
    soc_percent, power_w
        Of the newest row that is taken, power > 0 charging; the SoC may be an older row's. NaN where it has none.
    day_us, day_in_kwh, day_out_kwh
        Start of the open window of a day [us] and the energies in it; NEVER and NaN where there is none.
    lifetimes
        Readings of the lifetimes of assets that have rows.
    at
        Where an asset stands in ``lifetimes``; -1: nowhere.
    """

    rows: IntArray
    rejected: IntArray
    last_us: IntArray
    silent_after_s: FloatArray
    is_upload: BoolArray
    doing: IntArray
    soc_percent: FloatArray
    power_w: FloatArray
    day_us: IntArray
    day_in_kwh: FloatArray
    day_out_kwh: FloatArray
    lifetimes: Readings
    at: IntArray


class FleetReader:
    """Reads stored states, many at a time.

    Parameters
    ----------
    catalogue
        The metrics.
    layouts
        Layouts that stored states may have beside the catalogue's own.
    """

    def __init__(self, catalogue: Catalogue, layouts: Layouts) -> None:
        self._catalogue, self._layouts = catalogue, layouts

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that are one number; known once they are compiled."""
        return tuple(columns.name for columns in self._catalogue.reading_layout.metrics if columns.bins is None)

    def numbers(self, readings: Readings) -> FloatArray:
        """Values of :attr:`metrics` in ``w`` windows, ``(w, metrics)``; NaN where undefined."""
        is_whole, value_at, code_at = self._places
        values = np.empty((len(readings.windows), len(is_whole)))
        values[:, ~is_whole] = readings.numbers[:, value_at[~is_whole]]
        is_defined = readings.codes[:, code_at[is_whole]] == 0
        values[:, is_whole] = np.where(is_defined, readings.whole[:, value_at[is_whole]], np.nan)
        return values

    @cached_property
    def _places(self) -> tuple[BoolArray, IntArray, IntArray]:
        """Of each of the metrics whether it is a whole number, and the columns of its value and of its code."""
        single = [(at, each) for at, each in enumerate(self._catalogue.reading_layout.metrics) if each.bins is None]
        return (
            np.array([each.whole for _, each in single], np.bool_),
            np.array([each.value for _, each in single], np.int64),
            np.array([at for at, _ in single], np.int64),
        )

    def read(self, asset_ids: Sequence[str], values: Sequence[bytes]) -> FleetRows:
        """Read assets, all different. DomainError: a state cannot be read."""
        fleet = Fleet(self._catalogue, ())
        slots = Snapshots(fleet).load_all(asset_ids, values, self._layouts)
        windows = views.current(fleet, slots)
        lives = int(np.count_nonzero(windows.size_us == LIFETIME))  # they come first
        lifetimes = views.read(fleet, windows.part(slice(0, lives)), closed=False)
        at = np.full(len(fleet.ids), -1, np.int64)
        at[lifetimes.windows.slot] = np.arange(lives)
        doing, soc_percent, power_w = self._newest(fleet, slots)
        day_us, day_in_kwh, day_out_kwh = _days(fleet, windows, len(fleet.ids))
        return FleetRows(
            rows=rows_of(fleet, slots, self._catalogue.rows_at),
            rejected=fleet.integers.late_rows[slots],
            last_us=fleet.integers.last_us[slots],
            silent_after_s=_silent_after_s(fleet, slots),
            is_upload=np.array([is_upload(asset_id) for asset_id in asset_ids], np.bool_),
            doing=doing,
            soc_percent=soc_percent,
            power_w=power_w,
            day_us=day_us[slots],
            day_in_kwh=day_in_kwh[slots],
            day_out_kwh=day_out_kwh[slots],
            lifetimes=lifetimes,
            at=at[slots],
        )

    def _newest(self, fleet: Fleet, slots: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """What each asset does, its SoC and its power, by its newest row: that waits for the next one."""
        catalogue, count = self._catalogue, fleet.pending.count[slots]
        taken = count - fleet.integers.held_rows[slots]
        waiting = fleet.pending.get(slots).values
        last = np.cumsum(count) - count + taken - 1

        def reading(column: str) -> FloatArray:
            found = np.full(len(slots), np.nan)
            found[taken > 0] = waiting[catalogue.columns.index(column), last[taken > 0]]
            return found

        current_a, power_w, soc_percent = reading("current_a"), reading("power_w"), reading("soc_percent")
        power_w = np.where(np.isnan(power_w), current_a * reading("voltage_v"), power_w)
        if ("soc_percent", "any") in catalogue.carried:
            before = fleet.floats.carry[slots, catalogue.carried.index(("soc_percent", "any"))]
            soc_percent = np.where(np.isnan(soc_percent), before, soc_percent)
        flow = np.where(np.isnan(current_a), power_w, current_a)
        capacity_ah = fleet.specs.take(slots).capacity_ah
        limit_a = np.fmax(LARGEST_C_RATE_PER_H * capacity_ah, LIMITS_A[0])
        rests = np.where(np.isnan(current_a), flow == 0, np.abs(current_a) < limit_a)
        doing = np.where(rests, IDLE, np.where(flow > 0, CHARGING, DISCHARGING))
        return np.where(np.isnan(flow), UNKNOWN, doing), soc_percent, power_w


def _silent_after_s(fleet: Fleet, slots: IntArray) -> FloatArray:
    """The gap limit, as :func:`stream_app.domain.durations.gap_limit_s` has it for one asset."""
    specs, measured_s = fleet.specs.take(slots), fleet.floats.period_s[slots]
    period_s = np.where(np.isnan(specs.period_s), measured_s, specs.period_s)
    by_period_s = np.where(np.isnan(period_s), FIRST_GAP_S, np.fmax(GAP_PERIODS * period_s, specs.least_gap_s))
    return np.where(np.isnan(specs.max_gap_s), by_period_s, specs.max_gap_s)


def _days(fleet: Fleet, windows: views.Windows, assets: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Of each slot the start of its open window of a day, and the energies in and out [kWh]."""
    day_us = np.full(assets, np.iinfo(np.int64).min)
    energies = np.full((2, assets), np.nan)
    days = np.flatnonzero(windows.size_us == DAY_US)
    if len(days):  # all windows of a size stand together
        part = windows.part(slice(int(days[0]), int(days[-1]) + 1))
        is_day = part.size_us == DAY_US
        readings = views.read(fleet, part, closed=False).of(_DAY_ENERGIES)
        day_us[part.slot[is_day]] = part.start_us[is_day]
        for energy, name in zip(energies, _DAY_ENERGIES, strict=True):
            if name in readings:
                energy[part.slot[is_day]] = readings[name].value[is_day]
    return day_us, energies[0], energies[1]
