"""The kinds of assets: what each is made of, how it is used, and how its readings come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from tests.accuracy.pack import LFP, NMC, Course, Pack, run, wander

DAYS: Final = 7
DAY_S: Final = 86_400

_BESS: Final = Pack(NMC, 270, 94, 94, 0.12, 0.04, 30, 0.998, 0.01, 0.05, 0.95)
_BESS_LFP: Final = Pack(LFP, 240, 280, 280, 0.045, 0.015, 60, 0.997, 0.02, 0.05, 0.97)
_HOME: Final = Pack(LFP, 16, 100, 96, 0.012, 0.004, 60, 0.997, 0.005, 0.08, 0.98)
_EV: Final = Pack(NMC, 96, 156, 150, 0.06, 0.03, 20, 0.999, 0.01, 0.08, 0.9)


@dataclass(frozen=True)
class Readings:
    """Rows of an asset: time since the first one [us], and readings as they were sent, each ``(n,)``."""

    time_us: IntArray
    current_a: FloatArray
    voltage_v: FloatArray
    soc_percent: FloatArray


@dataclass(frozen=True)
class Kind:
    """A kind of assets.

    Parameters
    ----------
    use
        Current that is asked for at each step, by nominal capacity [Ah], step [s] and random numbers.
    soc_step_percent
        Resolution of the SoC that is sent.
    lost
        Share of the rows that do not arrive.
    soc_error_percent, soc_error_s
        Size and memory of the error of the SoC that is sent.
    capacity_share, resistance_times
        Ranges of the capacity over the nominal one, and of the resistance over that of a new pack.
    """

    about: str
    pack: Pack
    use: Callable[[float, float, np.random.Generator], FloatArray]
    dt_s: float
    soc_step_percent: float = 0.1
    lost: float = 0.0
    soc_error_percent: float = 0.0
    soc_error_s: float = 1.0
    capacity_share: tuple[float, float] = (0.93, 1.02)
    resistance_times: tuple[float, float] = (0.8, 1.4)

    def made(self, seed: tuple[int, ...]) -> tuple[Readings, Course, float]:
        """Make an asset: its rows, what it really did, and its nominal capacity."""
        rng = np.random.default_rng(seed)
        times = rng.uniform(*self.resistance_times)
        pack = replace(
            self.pack,
            capacity_ah=self.pack.nominal_ah * rng.uniform(*self.capacity_share),
            r0_ohm=self.pack.r0_ohm * times,
            r1_ohm=self.pack.r1_ohm * times,
            charge_efficiency=rng.uniform(0.996, 0.9995),
        )
        course = run(pack, self.use(pack.nominal_ah, self.dt_s, rng), self.dt_s, rng.uniform(0.4, 0.6))
        n = len(course.soc_percent)
        error = np.zeros(n)
        if self.soc_error_percent:
            fade = np.exp(-self.dt_s / self.soc_error_s)
            error = wander(rng.normal(0, self.soc_error_percent * np.sqrt(1 - fade**2), n), fade)
        kept = rng.random(n) >= self.lost
        readings = Readings(
            (np.arange(n) * self.dt_s * 1e6).astype(np.int64)[kept],
            np.round(course.current_a, 1)[kept],
            np.round(course.voltage_v, 1)[kept],
            (np.round((course.soc_percent + error) / self.soc_step_percent) * self.soc_step_percent)[kept],
        )
        return readings, course, pack.nominal_ah


def _hours(dt_s: float) -> FloatArray:
    hours: FloatArray = np.arange(int(DAYS * DAY_S / dt_s)) * dt_s / 3600 % 24
    return hours


def _rounded(current_a: Any) -> FloatArray:
    return np.round(np.asarray(current_a, float), 1)


def _noise(n: int, dt_s: float, memory_s: float, size: float, rng: np.random.Generator) -> FloatArray:
    fade = np.exp(-dt_s / memory_s)
    return wander(rng.normal(0, size * np.sqrt(1 - fade**2), n), fade)


def _daily(nominal_ah: float, dt_s: float, rng: np.random.Generator) -> FloatArray:
    """Charge at night, regulation by day, discharge in the evening."""
    hour, rate_a = _hours(dt_s), nominal_ah * rng.uniform(0.22, 0.4)
    asked = np.where((hour >= 1) & (hour < 4.5), rate_a, 0.0)
    asked = np.where((hour >= 17) & (hour < 20.5), -rate_a, asked)
    regulation = _noise(len(hour), dt_s, 600, 0.12 * nominal_ah, rng)
    return _rounded(np.where((hour >= 6) & (hour < 15), regulation, asked))


def _regulation(nominal_ah: float, dt_s: float, rng: np.random.Generator) -> FloatArray:
    """Frequency containment: cycles of a fifth of a percent, drawn back to the middle now and then."""
    hour = _hours(dt_s)
    fast = _noise(len(hour), dt_s, 25, 0.1 * nominal_ah, rng)
    return np.round(fast + _noise(len(hour), dt_s, 7200, 0.02 * nominal_ah, rng), 1)


def _sun_and_household(nominal_ah: float, dt_s: float, rng: np.random.Generator) -> FloatArray:
    """Sun by day with clouds, a household's load, more of it in the evening."""
    hour = _hours(dt_s)
    clouds = np.clip(1 + _noise(len(hour), dt_s, 300, 0.3, rng), 0.1, 1.3)
    sun_kw = (
        1.9 * rng.uniform(0.8, 1.2) * np.where((hour > 7) & (hour < 18), np.sin(np.pi * (hour - 7) / 11), 0) * clouds
    )
    evening = 1.2 * ((hour > 18) & (hour < 23)) * rng.random(len(hour) // 120 + 1)[np.arange(len(hour)) // 120]
    net_kw = np.clip(sun_kw - 0.25 - evening, -2.5, 2.5)
    return np.round(np.where(np.abs(net_kw) < 0.05, 0, net_kw) * 1000 / 52 * nominal_ah / 100, 1)


def _commuting(nominal_ah: float, dt_s: float, rng: np.random.Generator) -> FloatArray:
    """Two drives a day, charged at night."""
    hour = _hours(dt_s)
    driving = ((hour > 7) & (hour < 8.2)) | ((hour > 17) & (hour < 18.2))
    drive = np.clip(-35 + 90 * _noise(len(hour), dt_s, 10, 1, rng), -300, 120)
    return _rounded(np.where((hour >= 22) | (hour < 5), 18.0, np.where(driving, drive, 0.0)))


KINDS: Final[Mapping[str, Kind]] = {
    "bess_nmc": Kind("storage, NMC, a row every 10 s", _BESS, _daily, 10),
    "bess_lfp": Kind("storage, LFP, a row every 10 s", _BESS_LFP, _daily, 10),
    "home": Kind("home storage, LFP, SoC in whole percent, a row every 10 s", _HOME, _sun_and_household, 10, 1.0),
    "ev": Kind("vehicle, a row every second", _EV, _commuting, 1),
    "fcr": Kind("frequency containment, a row every 5 s", _BESS, _regulation, 5),
    "second_life": Kind(
        "storage of used packs", _BESS, _daily, 10, capacity_share=(0.65, 0.82), resistance_times=(1.8, 3.0)
    ),
    "lossy": Kind("storage, 20 % of the rows are lost", _BESS, _daily, 10, lost=0.2),
    "wandering_soc": Kind(
        "storage, SoC off by 1 % within two hours", _BESS, _daily, 10, soc_error_percent=1.0, soc_error_s=7200
    ),
}
