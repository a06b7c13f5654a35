"""Rolling windows: a span of time, as the fold of the windows of one size that stand in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stream_app.domain.lines import NEVER
from stream_app.domain.since import Since
from stream_app.domain.state import Fleet
from stream_app.domain.views import Windows


def folded(fleet: Fleet, slot: int, windows: Windows, *, size_us: int, start_us: int) -> Windows:
    """One asset's windows, by start ascending and disjoint, as one window; it is read by the asset's present spec.

    Totals merge as those of smaller windows go on into larger ones: the fold of the smallest windows is the larger
    window that they make, to the bit.
    """
    layout = fleet.catalogue.layout
    totals = layout.empty(1)
    for one in windows.totals:
        totals = layout.merged(totals, one[:, None])
    window = Windows.of(
        fleet,
        slot=np.array([slot]),
        size_us=np.array([size_us]),
        start_us=np.array([start_us]),
        seq=np.array([fleet.integers.applied_offset[slot]]),
        totals=totals.T,
    )
    late = _together(windows.since.values())
    if late:
        window.since[0] = late
    return window


def _together(parts: Iterable[tuple[Since, ...]]) -> tuple[Since, ...]:
    """What windows lack, as one: the fields that lack the same stand together."""
    lacking: dict[str, tuple[int, int, float]] = {}
    for since in (since for part in parts for since in part):
        for field in since.fields:
            time_us, rows, valid_s = lacking.get(field, (NEVER, 0, 0.0))
            lacking[field] = max(time_us, since.time_us), rows + since.rows, valid_s + since.valid_s
    return tuple(
        Since(frozenset(field for field, lack in lacking.items() if lack == each), *each)
        for each in dict.fromkeys(lacking.values())
    )
