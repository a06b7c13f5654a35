"""Lifetimes and open windows are what plain folds of panes and waiting rows give, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.arrays import FloatArray
from stream_app.domain import views
from stream_app.domain.lines import LEVELS
from stream_app.domain.reading import LIFETIME
from stream_app.domain.samples import Samples
from stream_app.domain.state import Fleet
from tests.unit.domain.fleets import CATALOGUE, START_US, a_fleet, fed

READING = st.sampled_from([None, 0.0, -0.0, 50.0]) | st.floats(0, 100)
ROW = st.tuples(st.sampled_from("ab"), st.integers(0, 40), READING, READING, READING)


def plain_windows(fleet: Fleet, slot: int) -> list[tuple[int, int, bytes]]:
    """Size, start and totals of an asset's lifetime and open windows, by numpy, from one row after the other."""
    layout, line = CATALOGUE.layout, fleet.integers
    waiting = fleet.pending.get(np.array([slot]))
    n = len(waiting)
    soc = waiting.values[CATALOGUE.columns.index("soc_percent")]
    samples = Samples(
        asset=np.zeros(n, np.int64),
        starts=np.zeros(1, np.int64),
        values=dict(zip(CATALOGUE.columns, waiting.values, strict=True)),
        soc_following_percent=np.append(soc[1:], np.nan)[:n],
        dt_s=np.zeros(n),
        valid=np.zeros(n, bool),
        gap_s=np.zeros(n),
        carried=CATALOGUE.carried,
        carry=fleet.floats.carry[[slot]],
    )

    def with_waiting(totals: FloatArray, counts: np.ndarray) -> bytes:
        added = layout.empty(2)  # the second one takes what does not count
        layout.add(added, np.where(counts, 0, 1), CATALOGUE.contributions(samples))
        return layout.merged(totals[:, None], added[:, :1]).tobytes()

    def merged(a: FloatArray, b: FloatArray) -> FloatArray:
        return layout.merged(a[:, None], b[:, None])[:, 0]

    pane = fleet.floats.level(0)[slot]
    life = with_waiting(merged(fleet.floats.life[slot], pane), np.ones(n, bool))
    found = [(LIFETIME, int(line.first_us[slot]), life)]
    for level in range(LEVELS):
        size_us, number = int(line.size_us[slot, level]), int(line.open_number[slot, level])
        if size_us:
            totals = pane if level == 0 else merged(fleet.floats.level(level)[slot], pane)
            inside = waiting.time_us // size_us == number
            if totals[CATALOGUE.rows_at] or inside.any():
                found.append((size_us, number * size_us, with_waiting(totals, inside)))
    return found


@given(st.lists(ROW, min_size=1, max_size=30), st.sampled_from([0, 30]))
def test_windows_are_plain_folds(rows: list[tuple[Any, ...]], lateness_s: int) -> None:
    """Several rows wait (of one stamp, or because late ones may come), some of them beyond the open window."""
    fleet = a_fleet(lateness_s=lateness_s)
    fleet.slot("without rows")
    named = ("asset", "second", "current", "voltage", "soc")
    given_ = [dict(zip(named, row, strict=True)) for row in rows]
    fed(fleet, [{**r, "offset": i, "time_us": START_US + 7_000_000 * r["second"]} for i, r in enumerate(given_)], [7])
    windows = views.current(fleet, np.arange(len(fleet.ids)))
    assert np.all(np.diff(np.flatnonzero(windows.size_us == LIFETIME)) == 1)
    for slot in range(len(fleet.ids)):
        mine = np.flatnonzero(windows.slot == slot)
        assert [(int(windows.size_us[i]), int(windows.start_us[i]), windows.totals[i].tobytes()) for i in mine] == (
            plain_windows(fleet, slot) if fleet.has_rows(slot) else []
        )
