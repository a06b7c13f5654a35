"""Signals that come in turn: each reading holds until the next one of its kind."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.infra.files.block import Block

#: A reading holds no longer than this, or so many of the signal's median steps.
_LONGEST_S: Final = 900.0
_LONGEST_STEPS: Final = 10


def held(block: Block) -> Block:
    """Rows in time order, with each reading filled in from the newest row of the asset that has one."""
    columns = {name: values.copy() for name, values in block.columns.items()}
    if block.owners is None:
        groups = [np.arange(len(block))]
    else:
        order = np.argsort(block.owners.of_row, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(block.owners.of_row))[:-1])
    for rows in groups:
        for values in columns.values():
            values[rows] = _filled(values[rows], block.time_us[rows])
    return Block(block.timestamps, block.time_us, columns, block.owners, block.numbers)


def _filled(values: FloatArray, time_us: IntArray) -> FloatArray:
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return values
    steps = np.diff(time_us[known])
    usual_s = float(np.median(steps)) / 1e6 if len(steps) else 0.0
    longest_us = max(_LONGEST_S, _LONGEST_STEPS * usual_s) * 1e6
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    holds = (last >= 0) & (time_us - time_us[np.maximum(last, 0)] <= longest_us)
    return np.where(holds, values[np.maximum(last, 0)], np.nan)
