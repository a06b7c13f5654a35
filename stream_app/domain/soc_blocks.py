"""Changes of the state of charge beside the charge that flowed, in blocks of one and of four hours.

Notes
-----
A block begins at a row with a SoC and ends at the first one that is at least its length later. A gap or an unknown
current ends it without a count. Of the blocks the sums of squares and products stay, so what the SoC errs by is known
for the whole lifetime without keeping a block: over hours the resolution of the SoC and its noise from row to row are
small beside a SoC that wanders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import borrowing, inlined
from stream_app.domain.samples import Samples
from stream_app.domain.sequential import SequentialState

#: Length of a block of each kind [s].
SHORT_S, LONG_S = 3600.0, 14400.0

# One asset's numbers: the last SoC, then of each kind the SoC at the block's begin (NaN: none), its charge and time,
# count of blocks, and sums of dS dS, dS dQ and dQ dQ.
_SOC, _SHORT, _BLOCK = 0, 1, 7
_BEGIN, _CHARGE, _TIME, _COUNT = range(4)
_LONG: Final = _SHORT + _BLOCK
_WIDTH: Final = _LONG + _BLOCK
#: What metrics read: 1 (0 in a window), the last SoC, and of each kind the count and the three sums.
NEWEST_SOC, SHORT_SUMS, LONG_SUMS = 1, 2, 6


@inlined
def _advance(block: FloatArray, length_s: float, soc_percent: float, charge_as: float, dt_s: float) -> None:
    """Take a row into the block of one kind."""
    if not np.isnan(soc_percent):
        if block[_TIME] >= length_s and not np.isnan(block[_BEGIN]):
            change, charge = soc_percent - block[_BEGIN], block[_CHARGE]
            block[_COUNT] += 1
            block[_COUNT + 1] += change * change
            block[_COUNT + 2] += change * charge
            block[_COUNT + 3] += charge * charge
            block[_BEGIN] = np.nan
        if np.isnan(block[_BEGIN]):
            block[_BEGIN], block[_CHARGE], block[_TIME] = soc_percent, 0.0, 0.0
    if dt_s > 0 and not np.isnan(charge_as):
        block[_CHARGE] += charge_as
        block[_TIME] += dt_s
    else:
        block[_BEGIN], block[_TIME] = np.nan, 0.0


@inlined
def _step(
    state: FloatArray,
    stack: FloatArray,
    depths: IntArray,
    soc_percent: float,
    charge_as: float,
    dt_s: float,
    events: FloatArray,
) -> int:
    """Take a row: its SoC, then the charge of its step; no events."""
    if not np.isnan(soc_percent):
        state[_SOC] = soc_percent
    _advance(state[_SHORT:_LONG], SHORT_S, soc_percent, charge_as, dt_s)
    _advance(state[_LONG:_WIDTH], LONG_S, soc_percent, charge_as, dt_s)
    return 0


@borrowing
def _residue(state: FloatArray, stack: FloatArray, numbers: FloatArray) -> None:
    """Write 1, the last SoC, and the count and sums of both kinds."""
    numbers[0], numbers[NEWEST_SOC] = 1.0, state[_SOC]
    for x in range(4):
        numbers[SHORT_SUMS + x] = state[_SHORT + _COUNT + x]
        numbers[LONG_SUMS + x] = state[_LONG + _COUNT + x]


class SocBlocks(SequentialState):
    """The block of each kind that is open, and the sums over those before."""

    name, version, width, point, points = "soc_blocks", 1, _WIDTH, 1, 1
    event = ()
    step = staticmethod(_step)
    residue_width = 10
    residue = staticmethod(_residue)

    def start(self) -> FloatArray:
        """No SoC seen."""
        state = np.zeros(_WIDTH)
        state[[_SOC, _SHORT + _BEGIN, _LONG + _BEGIN]] = np.nan
        return state

    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """SoC of the row, charge and length of its step."""
        return samples.soc_percent, samples.charge_as, samples.dt_s

    def events(self, row: Any, told: Mapping[str, Any]) -> None:
        """There are none."""
