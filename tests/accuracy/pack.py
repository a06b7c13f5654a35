"""A simulated pack with an energy balance: open-circuit voltage, resistance, one RC pair, losses of charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.columns.compiled import compiled

_SOC: Final = np.array([0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1])
#: Open-circuit voltage of a cell at those states of charge [V].
NMC: Final = np.array([3.0, 3.34, 3.45, 3.55, 3.6, 3.64, 3.69, 3.77, 3.87, 3.97, 4.06, 4.11, 4.18])
LFP: Final = np.array([2.8, 3.06, 3.19, 3.24, 3.265, 3.28, 3.29, 3.295, 3.31, 3.32, 3.33, 3.345, 3.45])
_POINTS: Final = 10_001


@dataclass(frozen=True)
class Pack:
    """What a pack is made of.

    Parameters
    ----------
    cell_v
        Open-circuit voltage of a cell, :data:`NMC` or :data:`LFP`.
    charge_efficiency
        Share of the charge that reaches the cells.
    """

    cell_v: FloatArray
    cells: int
    nominal_ah: float
    capacity_ah: float
    r0_ohm: float
    r1_ohm: float
    tau_s: float
    charge_efficiency: float
    leak_a: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Course:
    """What a pack did: its readings at each step ``(n,)``, and the truths of all of it by metric."""

    current_a: FloatArray
    voltage_v: FloatArray
    soc_percent: FloatArray
    truths: dict[str, float]


def run(pack: Pack, asked_a: FloatArray, dt_s: float, start: float) -> Course:
    """Let a current flow, > 0 charging, that is held over each step; it stops at the pack's limits.

    The truth of the efficiency does not depend on what is left in the store: the product of the one-way efficiencies.
    """
    ocv_v = np.interp(np.linspace(0, 1, _POINTS), _SOC, pack.cell_v) * pack.cells
    n = len(asked_a)
    current, voltage, soc, sums = np.empty(n), np.empty(n), np.empty(n), np.zeros(4)
    numbers = np.array(
        [
            *(pack.capacity_ah * 3600, pack.r0_ohm, pack.r1_ohm, pack.tau_s),
            *(pack.charge_efficiency, pack.leak_a, pack.lowest, pack.highest),
        ]
    )
    _walk(asked_a, dt_s, start, ocv_v, numbers, current, voltage, soc, sums)
    in_j, in_store_j, out_j, from_store_j = sums.tolist()
    truths = {
        "rte_level": in_store_j / in_j * out_j / from_store_j,
        # A percent takes more charge on the way up than it gives on the way down.
        "capacity_est": pack.capacity_ah * (1 + 1 / pack.charge_efficiency) / 2,
        "r_step": pack.r0_ohm,
    }
    return Course(current, voltage, 100 * soc, truths)


@compiled
def _walk(
    asked_a: FloatArray,
    dt_s: float,
    start: float,
    ocv_v: FloatArray,
    numbers: FloatArray,
    current: FloatArray,
    voltage: FloatArray,
    soc: FloatArray,
    sums: FloatArray,
) -> None:
    """Energies by Simpson's rule within each step."""
    capacity_as, r0, r1, tau_s, efficiency, leak_a, lowest, highest = numbers
    fade, half_fade = np.exp(-dt_s / tau_s), np.exp(-dt_s / 2 / tau_s)
    state, over_v = start, 0.0
    top = len(ocv_v) - 1
    for k in range(len(asked_a)):
        i = asked_a[k]
        if (i > 0 and state >= highest) or (i < 0 and state <= lowest):
            i = 0.0
        into_a = i * (efficiency if i > 0 else 1.0) - leak_a
        moved = into_a * dt_s / capacity_as
        u = np.zeros(3)
        for x in range(3):
            at = min(max((state + moved * x / 2) * top, 0.0), top - 1e-9)
            u[x] = ocv_v[int(at)] + (at - int(at)) * (ocv_v[int(at) + 1] - ocv_v[int(at)])
        middle_v, end_v = over_v * half_fade + r1 * (1 - half_fade) * i, over_v * fade + r1 * (1 - fade) * i
        current[k], voltage[k], soc[k] = i, u[0] + r0 * i + over_v, state
        flow_j = i * dt_s * (u[0] + over_v + 4 * (u[1] + middle_v) + u[2] + end_v + 6 * r0 * i) / 6
        store_j = into_a * dt_s * (u[0] + 4 * u[1] + u[2]) / 6
        at_sum = 0 if i > 0 else 2
        sign = 1.0 if i > 0 else -1.0
        sums[at_sum] += sign * flow_j
        sums[at_sum + 1] += sign * store_j
        state += moved
        over_v = end_v


@compiled
def wander(noise: FloatArray, fade: float) -> FloatArray:
    """Noise with a memory: each value is a share of the one before, and the noise."""
    out, value = np.empty(len(noise)), 0.0
    for k in range(len(noise)):
        value = fade * value + noise[k]
        out[k] = value
    return out
