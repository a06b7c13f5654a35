"""Settled rows as the metrics see them: columns, durations, and what came just before and after each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.columns.segments import ends
from stream_app.domain.rest import LIMITS_A

Among = Literal["any", "charging", "discharging"]
#: A column's reading that is carried from an asset's newest row of a kind to its next one.
Carried = tuple[str, Among]


class Samples:
    """``n`` rows of ``k`` assets, sorted by asset and then by event time.

    Parameters
    ----------
    asset
        Index of each row's asset among the ``k``, ascending, shape ``(n,)``.
    starts
        First row of each asset, shape ``(k,)``.
    values
        Readings ``(n,)`` of each column by name, current > 0 charging; NaN where not measured.
    soc_following_percent
        SoC of the asset's next row, shape ``(n,)``; NaN where there is none yet.
    dt_s
        How long the reading held, 0 where unknown, shape ``(n,)``.
    valid
        Whether it is known, shape ``(n,)``.
    gap_s
        Length of the gap that begins with the row, else 0, shape ``(n,)``.
    carried, carry
        Which readings are carried, and those before these rows, shape ``(k, len(carried))``.
    """

    def __init__(
        self,
        *,
        asset: IntArray,
        starts: IntArray,
        values: Mapping[str, FloatArray],
        soc_following_percent: FloatArray,
        dt_s: FloatArray,
        valid: BoolArray,
        gap_s: FloatArray,
        carried: Sequence[Carried],
        carry: FloatArray,
    ) -> None:
        self.asset, self.starts = asset, starts
        self._values, self._soc_following_percent = values, soc_following_percent
        self.dt_s, self.valid, self.gap_s = dt_s, valid, gap_s
        self._carried, self._carry = carried, carry
        self._diffs: dict[Carried, FloatArray] = {}
        self._events: dict[type, Any] = {}

    def __len__(self) -> int:
        return len(self.asset)

    def __getitem__(self, column: str) -> FloatArray:
        """A column by name."""
        return self._values[column]

    @cached_property
    def current_a(self) -> FloatArray:
        """Pack current [A], > 0 charging."""
        return self["current_a"]

    @cached_property
    def voltage_v(self) -> FloatArray:
        """Pack voltage [V]."""
        return self["voltage_v"]

    @cached_property
    def soc_percent(self) -> FloatArray:
        """State of charge [%]."""
        return self["soc_percent"]

    @cached_property
    def power_w(self) -> FloatArray:
        """Measured power [W] where there is one, else current x voltage; > 0 charging."""
        measured = self["power_w"]
        return np.where(np.isnan(measured), self.current_a * self.voltage_v, measured)

    @cached_property
    def charging(self) -> BoolArray:
        """Rows with current > 0."""
        positive: BoolArray = self.current_a > 0
        return positive

    @cached_property
    def discharging(self) -> BoolArray:
        """Rows with current < 0."""
        return self.current_a < 0

    @cached_property
    def charge_as(self) -> FloatArray:
        """Charge that the step moves [As], > 0 charging."""
        return self.current_a * self.dt_s

    @cached_property
    def energy_j(self) -> FloatArray:
        """Energy that the step moves [J], > 0 charging."""
        return self.power_w * self.dt_s

    @cached_property
    def charge_step(self) -> BoolArray:
        """Valid steps with a current > 0; of a row without current the power decides."""
        positive: BoolArray = self._flow > 0
        return self.valid & positive

    @cached_property
    def discharge_step(self) -> BoolArray:
        """Valid steps with a current < 0; of a row without current the power decides."""
        negative: BoolArray = self._flow < 0
        return self.valid & negative

    @cached_property
    def rest_step(self) -> BoolArray:
        """Valid steps with a current so small that it is rest whatever the capacity is."""
        small: BoolArray = np.abs(self.current_a) < LIMITS_A[0]
        return self.valid & small

    @cached_property
    def _flow(self) -> FloatArray:
        return np.where(np.isnan(self.current_a), self.power_w, self.current_a)

    @cached_property
    def soc_ahead_percent(self) -> FloatArray:
        """Signed SoC change over the step that begins with the row [%]; NaN where the step is not valid."""
        return np.where(self.valid, self._soc_ahead_percent, np.nan)

    @cached_property
    def soc_over_gap_percent(self) -> FloatArray:
        """Signed SoC change over the gap that begins with the row [%]; 0 where there is no gap."""
        return np.where(self.gap_s > 0, self._soc_ahead_percent, 0.0)

    @cached_property
    def _soc_ahead_percent(self) -> FloatArray:
        return self._soc_following_percent - self.soc_percent

    def diff(self, column: str, among: Among = "any") -> FloatArray:
        """Difference to the asset's previous row of the same kind, skipping the rows between; NaN where none.

        Which of them are asked for is found out once, with a few made rows: ask whatever the rows hold.
        """
        if (column, among) not in self._diffs:
            out = np.empty(len(self))
            _diffs(self[column], self._kind(among), self.starts, self.stops, self._before(column, among), out)
            self._diffs[column, among] = out
        return self._diffs[column, among]

    def _before(self, column: str, among: Among) -> FloatArray:
        if (column, among) not in self._carried:
            msg = f"diff({column!r}, {among!r}) was not asked for at the start: ask for it whatever the rows hold"
            raise LookupError(msg)
        return np.ascontiguousarray(self._carry[:, self._carried.index((column, among))])

    def _kind(self, among: Among) -> BoolArray:
        if among == "any":
            return self._all
        return self.charging if among == "charging" else self.discharging

    @cached_property
    def _all(self) -> BoolArray:
        return np.ones(len(self), np.bool_)

    def set_events(self, state: type, events: Any) -> None:
        """Record what a sequential state saw in these rows."""
        self._events[state] = events

    def events(self, state: type) -> Any:
        """What a sequential state saw in these rows; None when it was not shown them (rows that still wait)."""
        return self._events.get(state)

    @property
    def stops(self) -> IntArray:
        """Row after each asset's last one, shape ``(k,)``."""
        return ends(self.starts, len(self))


@compiled
def _diffs(
    values: FloatArray, counts: BoolArray, starts: IntArray, stops: IntArray, before: FloatArray, out: FloatArray
) -> None:
    """Differences between an asset's successive rows that count; NaN for the others."""
    for k in range(len(starts)):
        previous = before[k]
        for i in range(starts[k], stops[k]):
            if counts[i]:
                out[i] = values[i] - previous
                previous = values[i]
            else:
                out[i] = np.nan
