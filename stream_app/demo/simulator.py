"""A battery pack in closed form on a daily profile: rows as its sensors would report them, and the truth behind them.

The current is constant between two rows, so every update and every integral below is exact, not a numerical
approximation. What a metric estimates from the rows can therefore be compared with what really happened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DAY_S = 86_400
HOUR_S = 3_600
J_PER_KWH = 3.6e6

REGULATION_MEMORY = 0.998
REGULATION_NOISE_A = 1.1
LONG_REST_DAY = 5  # the sixth
SOC_MIN, SOC_MAX = 0.05, 0.95  # regulation stops there


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack with a straight open-circuit voltage, a series resistance and one RC element. Current > 0 charges."""

    nominal_capacity_ah: float = 100.0
    soh: float = 0.92
    ocv_empty_v: float = 816.0
    ocv_rise_v: float = 180.0
    r0_ohm: float = 0.12
    r1_ohm: float = 0.04
    tau_s: float = 30.0
    coulombic_efficiency: float = 0.998
    leak_a: float = 0.01

    @property
    def capacity_as(self) -> float:
        """Usable capacity [A s]."""
        return 3_600 * self.nominal_capacity_ah * self.soh

    def stored_j(self, soc: float) -> float:
        """Energy stored at a state of charge (0..1), relative to empty [J]."""
        return self.capacity_as * (self.ocv_empty_v * soc + self.ocv_rise_v / 2 * soc**2)


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows of one pack, ``time_s`` since the simulation began; ``rc_v``, of the RC element, no sensor measures."""

    period_s: float
    time_s: FloatArray
    current_a: FloatArray
    voltage_v: FloatArray
    soc: FloatArray
    rc_v: FloatArray


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened between the first and the last row of a trace; ``rte`` is NaN if nothing was charged."""

    rows: int
    duration_s: float
    charge_in_ah: float
    charge_out_ah: float
    energy_in_kwh: float
    energy_out_kwh: float
    stored_change_kwh: float
    ohmic_loss_kwh: float
    rc_loss_kwh: float
    coulombic_loss_kwh: float
    rte: float
    soh: float
    r0_ohm: float
    efc_charge: float
    efc_soc: float
    self_discharge_percent_per_day: float


class Simulation:
    """One pack on its daily profile; :meth:`advance` returns the next rows, however they are cut.

    Each day: charge at 30 A from 00:30 to 90 %, rest from 03:30 to 04:30 at the latest; discharge at 30 A from 17:00
    to 12 %, rest from 20:00; at 00, 06 and 12 h a minute's rest and 30 s of pulses of 50 A; frequency regulation in
    between. The sixth day rests from 10 to 16 h.

    Parameters
    ----------
    pack
        The pack.
    period_s
        Distance of two rows; a divisor of 60.
    seed
        Of the regulation signal.
    start_soc
        State of charge at the start (0..1).
    """

    def __init__(self, pack: Pack, *, period_s: int = 2, seed: int = 0, start_soc: float = 0.5) -> None:
        self.pack = pack
        self.period_s = period_s
        self._random = np.random.default_rng(seed)
        self._step = 0
        self._soc = start_soc
        self._rc_v = 0.0
        self._regulation_a = 0.0
        self._target_reached = False

    def advance(self, n: int) -> Trace:
        """Return the next ``n`` rows."""
        pack, dt_s = self.pack, self.period_s
        decay = math.exp(-dt_s / pack.tau_s)
        first, self._step = self._step, self._step + n
        current_a: list[float] = []
        soc: list[float] = []
        rc_v: list[float] = []
        for k, noise_a in enumerate(self._random.normal(0.0, REGULATION_NOISE_A, n).tolist(), start=first):
            self._regulation_a = REGULATION_MEMORY * self._regulation_a + noise_a
            i = self._set_point_a(k * dt_s)
            current_a.append(i)
            soc.append(self._soc)
            rc_v.append(self._rc_v)
            stored_a = (i * pack.coulombic_efficiency if i > 0 else i) - pack.leak_a
            self._soc += stored_a * dt_s / pack.capacity_as
            self._rc_v = self._rc_v * decay + pack.r1_ohm * (1 - decay) * i
        return Trace(
            period_s=dt_s,
            time_s=np.arange(first, first + n, dtype=np.float64) * dt_s,
            current_a=np.array(current_a),
            voltage_v=pack.ocv_empty_v
            + pack.ocv_rise_v * np.array(soc)
            + pack.r0_ohm * np.array(current_a)
            + np.array(rc_v),
            soc=np.array(soc),
            rc_v=np.array(rc_v),
        )

    def _set_point_a(self, time_s: int) -> float:
        day, second = divmod(time_s, DAY_S)
        hour, pulse_s = second / HOUR_S, second % (6 * HOUR_S)
        if day % 7 == LONG_REST_DAY and 10 <= hour < 16:
            return 0.0
        if hour < 18 and pulse_s < 90:
            if pulse_s < 60:
                return 0.0
            return 50.0 if (pulse_s - 60) // (2 * self.period_s) % 2 == 0 else -50.0
        if 0.5 <= hour < 3.5:
            self._target_reached = self._target_reached or self._soc >= 0.90
            return 0.0 if self._target_reached else 30.0
        if 17 <= hour < 20:
            self._target_reached = self._target_reached or self._soc <= 0.12
            return 0.0 if self._target_reached else -30.0
        self._target_reached = False
        if 3.5 <= hour < 4.5 or 20 <= hour < 21:
            return 0.0
        i = round(min(60.0, max(-60.0, self._regulation_a - 40.0 * (self._soc - 0.5))), 1)
        return 0.0 if (i > 0 and self._soc >= SOC_MAX) or (i < 0 and self._soc <= SOC_MIN) else i


def truth_of(pack: Pack, trace: Trace) -> Truth:
    r"""Integrate a trace exactly, from its first row to its last.

    Notes
    -----
    Over a step the energy at the terminals is
    :math:`I\,dt\,(U(s) + \tfrac12 U' ds + R_0 I) + I\,(R_1 I\,dt + (v_1 - R_1 I)\,\tau\,(1 - e^{-dt/\tau}))`.
    Energy in, less energy out, less what the store gained, is the sum of the ohmic, RC and coulombic losses (leakage
    included); the round trip efficiency is 1 less these losses' share of the energy in.
    """
    dt_s, i, soc, rc_v = trace.period_s, trace.current_a[:-1], trace.soc[:-1], trace.rc_v[:-1]
    dsoc = np.diff(trace.soc)
    ocv_vs = dt_s * (pack.ocv_empty_v + pack.ocv_rise_v * (soc + dsoc / 2))
    settled_v = pack.r1_ohm * i
    rc_vs = settled_v * dt_s + (rc_v - settled_v) * pack.tau_s * (1 - math.exp(-dt_s / pack.tau_s))
    ohmic_j = pack.r0_ohm * i**2 * dt_s
    step_j = i * (ocv_vs + rc_vs) + ohmic_j
    lost_a = np.where(i > 0, i * (1 - pack.coulombic_efficiency), 0.0) + pack.leak_a
    in_j, out_j = float(step_j[i > 0].sum()), float(-step_j[i < 0].sum())
    stored_j = pack.stored_j(float(trace.soc[-1])) - pack.stored_j(float(trace.soc[0]))
    charge_in_ah, charge_out_ah = float(i[i > 0].sum()) * dt_s / 3_600, float(-i[i < 0].sum()) * dt_s / 3_600
    return Truth(
        rows=len(trace.time_s),
        duration_s=float(trace.time_s[-1] - trace.time_s[0]),
        charge_in_ah=charge_in_ah,
        charge_out_ah=charge_out_ah,
        energy_in_kwh=in_j / J_PER_KWH,
        energy_out_kwh=out_j / J_PER_KWH,
        stored_change_kwh=stored_j / J_PER_KWH,
        ohmic_loss_kwh=float(ohmic_j.sum()) / J_PER_KWH,
        rc_loss_kwh=float((i * rc_vs).sum()) / J_PER_KWH,
        coulombic_loss_kwh=float((lost_a * ocv_vs).sum()) / J_PER_KWH,
        rte=(out_j + stored_j) / in_j if in_j else math.nan,
        soh=pack.soh,
        r0_ohm=pack.r0_ohm,
        efc_charge=(charge_in_ah + charge_out_ah) / (2 * pack.nominal_capacity_ah),
        efc_soc=float(np.abs(dsoc).sum()) / 2,
        self_discharge_percent_per_day=100 * pack.leak_a * 24 * 3_600 / pack.capacity_as,
    )
