"""Rows from a fixed seed, and what must come of them, summed in integers straight from the arrays.

An asset has a row each second. Readings are whole tenths (of A, V and %): the sums here are exact in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

ASSETS: Final = 100
WINDOW_S: Final = 60
SEED: Final = 7
START: Final = datetime(2022, 4, 13, tzinfo=UTC)
START_S: Final = int(START.timestamp())

#: Rows, charge [As], energy [J], and how far the SoC went up and down [%].
SUMS: Final = ("rows", "charge_in_as", "charge_out_as", "energy_in_j", "energy_out_j", "travel_percent")
#: How much of a sum's unit one step of the integers is.
_SCALE: Final = (1, 10, 10, 100, 100, 10)

Sums = Mapping[str, float]


@dataclass(frozen=True)
class Rows:
    """Rows of all assets; every array has the shape (rows per asset, assets)."""

    current: IntArray  # tenths of an ampere
    voltage: IntArray  # tenths of a volt
    soc: IntArray  # tenths of a percent

    @classmethod
    def of(cls, rows: int, assets: int = ASSETS) -> Rows:
        """Make at least that many rows, the same number for each asset."""
        n = -(-rows // assets)
        random = np.random.default_rng(SEED)
        second, asset = np.arange(n)[:, None], np.arange(assets)[None, :]
        magnitude = random.integers(1, 1500, (n, assets))
        resting = random.random((n, assets)) < 0.01
        charging = ((second // 400) + asset) % 2 == 0
        slow = np.round(500 + 400 * np.sin(second / 700 + asset)).astype(np.int64)
        return cls(
            current=np.where(resting, 0, np.where(charging, magnitude, -magnitude)),
            voltage=random.integers(9000, 10000, (n, assets)),
            soc=slow + random.integers(-3, 4, (n, assets)),
        )

    @property
    def per_asset(self) -> int:
        """Rows of one asset."""
        return len(self.current)

    @property
    def total(self) -> int:
        """Rows of all."""
        return self.current.size

    @cached_property
    def assets(self) -> list[str]:
        """Asset ids, by column."""
        return [f"bess-{number:03d}" for number in range(self.current.shape[1])]

    @cached_property
    def stamps(self) -> list[str]:
        """Stamps, by row."""
        at = np.datetime64(START.replace(tzinfo=None), "s") + np.arange(self.per_asset)
        return [f"{stamp}Z" for stamp in np.datetime_as_string(at).tolist()]

    @cached_property
    def truth(self) -> Truth:
        """What must come of the rows."""
        contributions = self._contributions()
        # SoC moves within what is summed: the first row of a window brings no travel into it.
        travel = np.zeros_like(self.soc)
        travel[1:] = np.abs(np.diff(self.soc, axis=0))
        windows = np.arange(0, self.per_asset, WINDOW_S)
        per_window = [np.add.reduceat(one, windows, axis=0) for one in (*contributions, travel)]
        per_window[-1] -= travel[windows]
        whole = len(windows) - 1  # no later row closes the last one
        return Truth(
            lifetimes=self._named(one.sum(axis=0) for one in (*contributions, travel)),
            # A row holds until the next one: by that reading the last row of all has no duration yet, nor have those
            # of the last 10 s in an asset's first minute, when later ones may still come before them.
            held=self._named(
                [
                    contributions[0].sum(axis=0),
                    *(one[: -1 if self.per_asset > WINDOW_S else -11].sum(axis=0) for one in contributions[1:]),
                    travel.sum(axis=0),
                ]
            ),
            windows={
                (asset_id, START_S + number * WINDOW_S): sums
                for number in range(whole)
                for asset_id, sums in self._named(one[number] for one in per_window).items()
            },
        )

    def _contributions(self) -> tuple[IntArray, ...]:
        power = self.current * self.voltage
        into, out = self.current > 0, self.current < 0
        return (
            np.ones_like(self.current),
            np.where(into, self.current, 0),
            np.where(out, -self.current, 0),
            np.where(into, power, 0),
            np.where(out, -power, 0),
        )

    def _named(self, sums: Iterable[IntArray]) -> dict[str, Sums]:
        columns = [(one / scale).tolist() for one, scale in zip(sums, _SCALE, strict=True)]
        return {
            asset_id: dict(zip(SUMS, values, strict=True))
            for asset_id, *values in zip(self.assets, *columns, strict=True)
        }


@dataclass(frozen=True)
class Truth:
    """Exact sums."""

    lifetimes: Mapping[str, Sums]
    held: Mapping[str, Sums]
    windows: Mapping[tuple[str, int], Sums]  # by asset and start [s since 1970]; all but each asset's last window
