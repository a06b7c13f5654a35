"""Rolling windows: the fold of windows is the window that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given

from stream_app.domain import ingestion, spans, views
from stream_app.domain.reading import LIFETIME
from stream_app.domain.since import Since
from stream_app.domain.views import Windows
from tests.unit.domain.fleets import START_US, a_fleet, fed, life_and_open
from tests.unit.domain.test_laws import SPECS, telemetry

MINUTE_US = 60_000_000


@given(rows=telemetry())
def test_fold_of_the_smallest_windows_is_the_larger_one_to_the_bit(rows: list[dict[str, Any]]) -> None:
    """All metrics rest on these totals: closed windows of each larger size, and open ones once rows are settled."""
    fleet = a_fleet(SPECS)
    parts = fed(fleet, rows)
    for slot in fleet.slots.values():
        parts += ingestion.finish(fleet, slot, len(rows) + 10)
    open_ = life_and_open(fleet, np.array(list(fleet.slots.values())))[1]
    every = views.concatenated(fleet, [*parts, open_])
    order = np.argsort(every.start_us, kind="stable")
    for i in np.flatnonzero((every.size_us > MINUTE_US) & (every.size_us != LIFETIME)).tolist():
        size_us, start_us, slot = int(every.size_us[i]), int(every.start_us[i]), int(every.slot[i])
        inside = (every.slot == slot) & (every.size_us == MINUTE_US)
        inside &= (every.start_us >= start_us) & (every.start_us < start_us + size_us)
        small = views.taken(every, order[inside[order]])
        whole = spans.folded(fleet, slot, small, size_us=size_us, start_us=start_us)
        assert whole.totals.tobytes() == every.totals[i].tobytes()
        assert (int(whole.size_us[0]), int(whole.start_us[0])) == (size_us, start_us)


def test_a_span_without_windows_is_empty() -> None:
    """No rows, no time."""
    fleet = a_fleet(SPECS)
    none = views.concatenated(fleet, [])
    whole = spans.folded(fleet, 0, none, size_us=MINUTE_US, start_us=START_US)
    assert whole.totals[0].tobytes() == fleet.catalogue.layout.empty(1).tobytes()


def test_what_windows_lack_adds_up_by_field() -> None:
    """A field that began to count later lacks the rows of all windows before; the last tells since when it counts."""
    fleet = a_fleet(SPECS)
    x, both = frozenset({"x@1.a#1"}), frozenset({"x@1.a#1", "y@1.a#1"})
    windows = Windows.of(
        fleet,
        slot=np.zeros(2, np.int64),
        size_us=np.full(2, MINUTE_US),
        start_us=START_US + np.array([0, MINUTE_US]),
        seq=np.zeros(2, np.int64),
        totals=fleet.catalogue.layout.empty(2).T,
    )
    windows.since[0] = (Since(both, 60, 10, 55.0),)
    windows.since[1] = (Since(x, 90, 4, 20.0),)
    whole = spans.folded(fleet, 0, windows, size_us=2 * MINUTE_US, start_us=START_US)
    assert set(whole.since[0]) == {Since(x, 90, 14, 75.0), Since(both - x, 60, 10, 55.0)}
