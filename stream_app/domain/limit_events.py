"""Times beyond the limits of the spec as events: each begins beyond the limit and ends well within it.

Notes
-----
Each limit that an asset's spec states is an item on its stack, so an asset without limits costs nothing. A limit that
is new or has changed counts from its first row on; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.cell_readings import spread
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: An event counts once it has lasted so long [s].
LEAST_S: Final = 10.0

_VOLTAGE_HIGH, _VOLTAGE_LOW, _HOT, _COLD, _SOC_HIGH, _SOC_LOW, _C_RATE_HIGH, _SPREAD_HIGH = range(8)
#: The limits by their fields of the spec, in the order in which metrics list them.
LISTED: Final = (
    "voltage_high_v",
    "voltage_low_v",
    "temperature_high_c",
    "temperature_low_c",
    "soc_high_percent",
    "soc_low_percent",
    "c_rate_high",
    "cell_spread_high_v",
)
LIMITS: Final = len(LISTED)

# One limit's numbers: which it is, the limit, where an event ends, events, their time [s], how far beyond the limit any
# was, and of the open event its time (-1: none is open) and how far beyond it was so far.
_LIMIT, _AT, _END, _COUNT, _TIME, _EXCESS, _OPEN, _OPEN_EXCESS = range(8)
_POINT: Final = 8
#: Numbers of the residue: 1, how many limits the spec states, and then of each limit these, 0 where it is silent.
IS_LIFETIME, STATED = range(2)
_FIRST: Final = 2
COUNTS, TIMES_S, OPEN_S, EXCESSES = (slice(_FIRST + x * LIMITS, _FIRST + (x + 1) * LIMITS) for x in range(4))


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit of the spec: below or above it is beyond; an event ends so far within it."""

    limit: float | None
    is_low: bool = False
    within: float = 0.0
    within_share: float = 0.0

    def end(self, at: float) -> float:
        """Reading at which an event ends."""
        within = self.within + self.within_share * abs(at)
        return at + within if self.is_low else at - within


def _limits(spec: AssetSpec) -> tuple[_Limit, ...]:
    """Limits in their order: of voltages, temperatures, SoC, current (from the C-rate) and cell spread."""
    rate, capacity_ah = spec.c_rate_high, spec.nominal_capacity_ah
    return (
        _Limit(spec.voltage_high_v, within_share=0.005),
        _Limit(spec.voltage_low_v, is_low=True, within_share=0.005),
        _Limit(spec.temperature_high_c, within=1.0),
        _Limit(spec.temperature_low_c, is_low=True, within=1.0),
        _Limit(spec.soc_high_percent, within=1.0),
        _Limit(spec.soc_low_percent, is_low=True, within=1.0),
        _Limit(None if rate is None or capacity_ah is None else rate * capacity_ah, within_share=0.05),
        _Limit(spec.cell_spread_high_v, within_share=0.05),
    )


@inlined
def _reading(
    limit: int,
    voltage_v: float,
    hottest_c: float,
    coldest_c: float,
    soc_percent: float,
    current_a: float,
    spread_v: float,
) -> float:
    """The reading that a limit limits."""
    if limit <= _VOLTAGE_LOW:
        return voltage_v
    if limit <= _COLD:
        return hottest_c if limit == _HOT else coldest_c
    if limit <= _SOC_LOW:
        return soc_percent
    return abs(current_a) if limit == _C_RATE_HIGH else spread_v


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    voltage_v: float,
    hottest_c: float,
    coldest_c: float,
    soc_percent: float,
    current_a: float,
    spread_v: float,
    dt_s: float,
    events: FloatArray,
) -> int:
    """Take a row; no events. A missing reading neither begins an event nor ends one."""
    for item in range(depths[0]):
        at = item * _POINT
        limit = int(stack[at + _LIMIT])
        reading = _reading(limit, voltage_v, hottest_c, coldest_c, soc_percent, current_a, spread_v)
        if np.isnan(reading):
            continue
        sign = -1.0 if limit in (_VOLTAGE_LOW, _COLD, _SOC_LOW) else 1.0
        if stack[at + _OPEN] >= 0:
            if sign * reading <= sign * stack[at + _END]:
                stack[at + _OPEN] = -1.0
                continue
        elif sign * reading > sign * stack[at + _AT]:
            stack[at + _OPEN] = stack[at + _OPEN_EXCESS] = 0.0
        else:
            continue
        stack[at + _OPEN_EXCESS] = max(stack[at + _OPEN_EXCESS], sign * (reading - stack[at + _AT]))
        is_counted = stack[at + _OPEN] >= LEAST_S
        stack[at + _OPEN] += dt_s
        if stack[at + _OPEN] >= LEAST_S:
            stack[at + _COUNT] += 0.0 if is_counted else 1.0
            stack[at + _TIME] += dt_s if is_counted else stack[at + _OPEN]
            stack[at + _EXCESS] = max(stack[at + _EXCESS], stack[at + _OPEN_EXCESS])
    return 0


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Write 1, how many limits there are, and the numbers of each."""
    numbers[IS_LIFETIME], numbers[STATED] = 1.0, len(stack) // _POINT
    for x in range(_FIRST, _FIRST + 4 * LIMITS):
        numbers[x] = 0.0
    for item in range(len(stack) // _POINT):
        at = item * _POINT
        to = _FIRST + int(stack[at + _LIMIT])
        numbers[to] = stack[at + _COUNT]
        numbers[to + LIMITS] = stack[at + _TIME]
        numbers[to + 2 * LIMITS] = stack[at + _OPEN] if stack[at + _OPEN] >= LEAST_S else 0.0
        numbers[to + 3 * LIMITS] = stack[at + _EXCESS]


class LimitEvents(SequentialState):
    """Count, time and excess of the events of each limit of the spec, and the event that is open."""

    name, version, width, point, points = "limit_events", 1, 0, _POINT, LIMITS
    event = ()
    step = staticmethod(_step)
    residue_width = _FIRST + 4 * LIMITS
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """Nothing beside the stack."""
        return np.zeros(0)

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """Voltage, highest and lowest temperature, SoC, current and cell spread of the row, and how long they hold."""
        pack_c, hottest_c, coldest_c = samples["temperature_c"], samples["t_max_c"], samples["t_min_c"]
        return (
            samples.voltage_v,
            np.where(np.isnan(hottest_c), pack_c, hottest_c),
            np.where(np.isnan(coldest_c), pack_c, coldest_c),
            samples.soc_percent,
            samples.current_a,
            spread(samples, "cell_v_min", "cell_v_max"),
            samples.dt_s,
        )

    def events(self, row: Any, told: Mapping[str, Any]) -> None:
        """There are none."""

    def specified(self, stack: FloatArray, spec: AssetSpec) -> FloatArray:
        """Items of the limits that the spec states; those of limits that stay are kept."""
        before = {(item[_LIMIT], item[_AT], item[_END]): item for item in stack.reshape(-1, _POINT)}
        items = []
        for number, limit in enumerate(_limits(spec)):
            if limit.limit is not None:
                begin = float(number), limit.limit, limit.end(limit.limit)
                items.append(before.get(begin, np.array([*begin, 0.0, 0.0, 0.0, -1.0, 0.0])))
        return np.concatenate([np.zeros(0), *items])
