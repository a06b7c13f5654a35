"""Rows as a plain function sees them: one object per row, NaN where a reading was not measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.asset import AssetSpec

Flow = Literal["charge", "discharge", "none", "unknown"]

#: Keys of the input that are no readings, and the short keys of those that are.
_NOT_READINGS = {"asset", "time_us", "offset"}
_COLUMNS = {"current": "current_a", "voltage": "voltage_v", "soc": "soc_percent", "power": "power_w"}


#: Limits that the rest band may have.
REST_LIMITS_A = (1 / 64, 1 / 16, 1 / 4, 1, 4)


def known(value: float) -> bool:
    """Whether a reading was measured."""
    return not math.isnan(value)


def total(values: Iterable[float]) -> float:
    """Sum of the values that are known; 0 where none is."""
    return math.fsum(value for value in values if known(value))


@dataclass(frozen=True)
class Nameplate:
    """The part of an asset's spec that the plain computation needs."""

    capacity_ah: float | None = None
    period_s: float | None = None
    max_gap_s: float | None = None
    on_change: bool = False
    spec: AssetSpec = field(default_factory=AssetSpec)  # for what else metrics read of it


@dataclass(eq=False, repr=False)
class Row:
    """One row of an asset, linked to the rows before and after it in event time."""

    stamp_us: int  # as it was sent
    readings: dict[str, float]  # by column, as measured
    time_us: int  # rows that share a stamp are spread over the time to the next one
    dt_s: float = 0.0  # how long its readings held; 0 where that is not known
    valid: bool = False  # whether it is known
    gap_s: float = 0.0  # length of the gap that begins with it
    settled: bool = True  # whether its duration can no longer change
    flow: Flow = "unknown"
    previous: Row | None = None
    following: Row | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Row:
        """Take a row as the tests write it: None and an absent reading mean "not measured"."""
        readings = dict.fromkeys(_COLUMNS.values(), math.nan)
        for key, value in row.items():
            if key not in _NOT_READINGS:
                readings[_COLUMNS.get(key, key)] = math.nan if value is None else float(value)
        return cls(row["time_us"], readings, row["time_us"])

    @property
    def current_a(self) -> float:
        """Current, > 0 charging."""
        return self.readings["current_a"]

    @property
    def voltage_v(self) -> float:
        """Voltage."""
        return self.readings["voltage_v"]

    @property
    def soc_percent(self) -> float:
        """State of charge."""
        return self.readings["soc_percent"]

    @property
    def power_w(self) -> float:
        """Measured power, else current x voltage."""
        measured = self.readings["power_w"]
        return measured if known(measured) else self.current_a * self.voltage_v

    @property
    def rests(self) -> bool:
        """Whether the step is at rest whatever the capacity is."""
        return self.valid and abs(self.current_a) < REST_LIMITS_A[0]

    @property
    def soc_ahead_percent(self) -> float:
        """Change of the SoC until the next row."""
        return math.nan if self.following is None else self.following.soc_percent - self.soc_percent


@dataclass(eq=False)
class Loop:
    """A closed loop of the state of charge."""

    row: Row  # that closed it
    depth_percent: float
    in_j: float
    out_j: float
    whole: bool  # no gap took some of its energy


@dataclass(eq=False)
class Crossing:
    """A level of the state of charge is crossed, as counted by :mod:`tests.oracle.soc_levels`."""

    row: Row
    level: int
    energies_j: tuple[float, ...] | None  # in and out since the level's last crossing, if known
    charges: tuple[float, ...] | None  # in and out [As] and the time [s] since then, if known
    #: Charge in and out [As] and time [s] since the crossing of the level 20 % before, < 0 downwards.
    span: tuple[float, float, float] | None

    @property
    def span_as(self) -> float | None:
        """Net charge of the span."""
        return None if self.span is None else self.span[0] - self.span[1]


@dataclass(eq=False)
class GapFill:
    """Energy of a gap in which the SoC moved, by what the SoC took before; None: it had not shown enough."""

    row: Row
    energies_j: tuple[float, float] | None  # in and out


@dataclass
class Part:
    """Rows of one window or of a lifetime: the argument of every plain function."""

    rows: list[Row]
    nameplate: Nameplate
    span_s: float  # time that the window covers so far
    loops: list[Loop] = field(default_factory=list)  # that close at one of the rows
    crossings: list[Crossing] = field(default_factory=list)  # at one of the rows
    fills: list[GapFill] = field(default_factory=list)  # of gaps that begin with one of the rows
    turning_points_percent: list[float] | None = None  # of a lifetime, the running extreme last; None of a window

    @property
    def is_lifetime(self) -> bool:
        """Whether these are all rows of the asset."""
        return self.turning_points_percent is not None

    def energy_j(self, flow: Literal["charge", "discharge"]) -> float:
        """Energy of all steps that charge, or of all that discharge; > 0 in the direction of the flow."""
        energy = total(row.power_w * row.dt_s for row in self.rows if row.flow == flow)
        return energy if flow == "charge" else -energy

    def charge_as(self, flow: Literal["charge", "discharge"]) -> float:
        """Charge of all steps that charge, or of all that discharge; > 0 in the direction of the flow."""
        charge = total(row.current_a * row.dt_s for row in self.rows if row.flow == flow)
        return charge if flow == "charge" else -charge

    def soc_percent(self, flow: Literal["charge", "discharge"]) -> float:
        """Change of the SoC over all steps that charge, or that discharge; > 0 in the direction of the flow."""
        change = total(row.soc_ahead_percent for row in self.rows if row.flow == flow)
        return change if flow == "charge" else -change

    def rests(self) -> list[Row]:
        """Rows of the rest band: the largest of some limits that is at most 0.01 C."""
        limit_a = max(
            limit for limit in REST_LIMITS_A if limit <= max(0.01 * (self.nameplate.capacity_ah or 0), 1 / 64)
        )
        return [row for row in self.rows if abs(row.current_a) < limit_a]

    def measured_s(self, column: str) -> float:
        """Time of the steps whose reading of a column is known."""
        return total(row.dt_s for row in self.rows if known(getattr(row, column)))


def bin_of(value: float, width: float, bins: int) -> int:
    """Bin of a value, of ``bins`` bins from 0 on; beyond them the outer ones; short of an edge by rounding: on it."""
    return min(max(int((value + 1e-10 * width) // width), 0), bins - 1)
