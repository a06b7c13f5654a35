"""Windows as they read: each case is drawn as stamps [s] of an asset's rows under the windows in which they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.asset import AssetSpec
from stream_app.domain import views
from stream_app.domain.lines import NEVER
from stream_app.domain.reading import LIFETIME
from stream_app.domain.since import Since, Sinces
from stream_app.domain.state import Fleet
from stream_app.domain.views import Windows
from tests.unit.domain.fleets import START_US, a_fleet, fed, life_and_open, values


def rows_at(*stamps_s: int, asset: str = "a", offset: int = 1) -> list[dict[str, Any]]:
    """A row of 10 A and 800 V at each stamp."""
    return [
        {"asset": asset, "offset": offset + i, "time_us": START_US + s * 1_000_000, "current": 10, "voltage": 800}
        for i, s in enumerate(stamps_s)
    ]


def counted(fleet: Fleet, windows: Windows) -> list[tuple[int, int, int]]:
    """Size, start (of a lifetime too) since the start of the day, and rows of each window."""
    rows = windows.totals[:, fleet.catalogue.rows_at]
    return [
        (int(size) // 1_000_000, (int(start) - START_US) // 1_000_000, int(count))
        for size, start, count in zip(windows.size_us, windows.start_us, rows, strict=True)
    ]


def current(fleet: Fleet) -> tuple[Windows, Windows]:
    return life_and_open(fleet, np.array(list(fleet.slots.values()), np.int64))


def test_open_windows_and_the_lifetime_hold_the_row_that_waits() -> None:
    """The newest row has no duration yet, but it is a row."""
    # minute     |            0            |
    # stamp        0    10    20    30
    # settled      x     x     x     waits
    fleet = a_fleet()
    fed(fleet, rows_at(0, 10, 20, 30))
    life, open_ = current(fleet)
    assert counted(fleet, life) == [(LIFETIME, 0, 4)]
    assert counted(fleet, open_) == [(60, 0, 4), (900, 0, 4), (3600, 0, 4), (86400, 0, 4)]
    assert values(views.read(fleet, life, closed=False), 0)["charge_in_ah"] == 10 * 30 / 3600


def test_the_open_window_is_that_of_the_oldest_row_that_waits() -> None:
    """Until the next stamp tells how long row 50 held, minute 0 is open; then it is closed, with row 50 in it."""
    # minute     |       0       |       1       |
    # stamp        0    25    50    75
    # settled      x     x     x     waits
    fleet = a_fleet()
    assert fed(fleet, rows_at(0, 25, 50)) == []
    assert counted(fleet, current(fleet)[1])[0] == (60, 0, 3)
    (minute,) = fed(fleet, rows_at(75, offset=4))
    assert counted(fleet, minute) == [(60, 0, 3)]
    assert counted(fleet, current(fleet)[1])[:2] == [(60, 60, 1), (900, 0, 4)]


def test_rows_that_wait_beyond_the_open_window_count_in_the_larger_ones_only() -> None:
    """With lateness rows of later minutes wait while minute 0 is open."""
    # minute     |       0       |       1       |       2       |
    # stamp        0    20    40      70            130             (100 s may a row be late)
    # settled      x   waits  waits  waits         waits
    fleet = a_fleet(lateness_s=100)
    assert fed(fleet, rows_at(0, 20, 40, 70, 130)) == []
    life, open_ = current(fleet)
    assert counted(fleet, life) == [(LIFETIME, 0, 5)]
    assert counted(fleet, open_)[:2] == [(60, 0, 3), (900, 0, 5)]


def test_an_open_window_covers_the_time_until_the_newest_stamp() -> None:
    """A closed one covers its size; the lifetime runs from the first stamp to the newest."""
    # minute     |       0       |       1       |
    # stamp             30   50     65      90
    # closed     |    20 + 15    |                   of 60 s
    # open                       |    25 (of 65) |   of 30 s
    fleet = a_fleet()
    (minute,) = fed(fleet, rows_at(30, 50, 65, 90))
    assert views.read(fleet, minute, closed=True).coverage.tolist() == [35 / 60]
    life, open_ = current(fleet)
    assert views.read(fleet, open_, closed=False).coverage.tolist()[0] == 25 / 30
    assert views.read(fleet, life, closed=False).coverage.tolist() == [1.0]


def test_an_asset_without_rows_has_no_windows() -> None:
    """Neither has one of which only a spec is known."""
    fleet = a_fleet({"a": AssetSpec(nominal_capacity_ah=5)})
    life, open_ = current(fleet)
    assert (len(life), len(open_)) == (0, 0)
    assert len(views.concatenated(fleet, [])) == 0


def test_windows_are_read_by_the_spec_that_was_in_force() -> None:
    """A later capacity changes no window that was closed before."""
    # minute     |       0       |       1       |
    # spec         none             5 Ah from here on
    fleet = a_fleet()
    closed = fed(fleet, rows_at(*range(0, 70, 10)))
    fleet.set_spec(fleet.slot("a"), AssetSpec(nominal_capacity_ah=5))
    closed += fed(fleet, rows_at(*range(70, 140, 10), offset=8))
    readings = views.read(fleet, views.concatenated(fleet, closed), closed=True)
    assert readings.by_metric["c_rate_max_per_h"].reason[0] == "capacity_missing"
    assert readings.by_metric["c_rate_max_per_h"].value[1] == 2.0


def test_windows_come_by_asset_and_size_in_order_of_time() -> None:
    """Positions are those among all windows, so that what is kept of each can be told."""
    fleet = a_fleet()
    both = rows_at(*range(0, 2000, 20)), rows_at(*range(0, 190, 20), asset="b", offset=200)
    closed = views.concatenated(fleet, [*fed(fleet, both[0]), *fed(fleet, both[1])])
    groups = list(views.by_asset_and_size(closed))
    assert [(fleet.ids[slot], size // 1_000_000, len(starts)) for slot, size, _, starts in groups] == [
        ("a", 60, 33),
        ("a", 900, 2),
        ("b", 60, 3),
    ]
    for _, _, positions, starts in groups:
        assert closed.start_us[positions].tolist() == starts == sorted(starts)


def test_what_is_late_in_a_window_stays_with_it_among_others() -> None:
    """Windows that are put together keep what is told of each; of two late fields the later one tells."""
    fleet = a_fleet()
    fed(fleet, rows_at(*range(0, 50, 10)))
    at_s = [START_US + 1_000_000 * s for s in (10, 20)]
    voltage, energy = frozenset({"voltage_min_v@1.reading"}), frozenset({"energy_in_j@2", "voltage_min_v@1.reading"})
    own: Sinces = {(0, 0): (Since(voltage, at_s[0], 1, 10.0), Since(energy, at_s[1], 2, 20.0))}
    life, open_ = current(fleet)
    fleet.since[fleet.slot("a")] = own
    late_life, _ = current(fleet)
    together = views.concatenated(fleet, [life, open_, late_life])
    assert together.since == {len(open_) + 1: own[0, 0]}
    readings = views.read(fleet, views.concatenated(fleet, [late_life, open_]), closed=False)
    # life     0 ... 10 ......... 20 ............. 40
    # voltage        | counts     | (also late here: 20 of 40 s are left)
    # energy                      | 20 of 40 s
    assert set(readings.late) >= {"voltage_min_v", "energy_in_kwh", "rte_raw"}
    assert not {"voltage_max_v", "total_data_points", "rainflow_cycles"} & readings.late.keys()
    for late in readings.late.values():
        assert late.since_us.tolist() == [at_s[1], *[NEVER] * len(open_)]
        assert late.coverage.tolist() == [0.5, *readings.coverage[1:]]
