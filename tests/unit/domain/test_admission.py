"""Rows that leap, rows out of order, rows that repeat: which count, in any batching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.asset import AssetSpec
from stream_app.domain import ingestion
from stream_app.domain.snapshot import Snapshots
from stream_app.domain.state import Fleet
from tests.unit.domain.fleets import START_US, a_fleet, all_bytes, as_rows, fed, lifetime

HOUR, DAY = 3600, 86_400


def of(*stamps_s: float, **readings: float) -> list[dict[str, Any]]:
    row = {"asset": "a", "current": 1.0, "voltage": 800.0, "soc": 50.0, **readings}
    return [{**row, "offset": i, "time_us": START_US + round(s * 1e6)} for i, s in enumerate(stamps_s)]


def outcome(
    fleet: Fleet, rows: Sequence[dict[str, Any]], cuts: Iterable[int] = ()
) -> tuple[list[int], list[int], dict[str, bytes], dict[tuple[str, int, int], bytes]]:
    """Offsets of late rows and of refused leaps, the states and the closed windows."""
    late, leaps, closed = [], [], []
    for low, high in pairwise([0, *sorted(cuts), len(rows)]):
        if low < high:
            applied = ingestion.apply(fleet, as_rows(fleet, rows[low:high]))
            late += [rows[low + i]["offset"] for i in applied.late.tolist()]
            leaps += [leap.offset for leap in applied.leaps]
            closed += applied.closed
    return late, leaps, *all_bytes(fleet, closed)


def count(fleet: Fleet) -> int:
    """Rows that count."""
    return int(lifetime(fleet)["total_data_points"])


@pytest.mark.parametrize("lateness_s", [0, 10, None])
@pytest.mark.parametrize("cuts", [(), range(40), (10,), (11,)])
def test_a_leap_is_refused_when_the_next_row_is_back(lateness_s: float | None, cuts: Iterable[int]) -> None:
    """Rows before and after it count, whether the leap stands in a fetch of its own or not."""
    fleet = a_fleet(lateness_s=lateness_s)
    late, leaps, *_ = outcome(fleet, of(*range(10), 2 * HOUR, *range(10, 30)), cuts)
    assert (late, leaps, count(fleet)) == ([], [10], 30)
    assert int(fleet.integers.late_rows[0]) == 1


def test_a_refused_leap_has_its_readings_as_they_were_sent() -> None:
    """Whatever the asset's frame is, and though its message may be long gone."""
    fleet = a_fleet({"a": AssetSpec(current_sign="discharge_positive", soc_scale="fraction")})
    fed(fleet, of(0, 1, soc=0.5))
    wrong = {"asset": "a", "offset": 2, "time_us": START_US + DAY * 10**6, "current": 7.0, "voltage": None, "soc": 0.25}
    fed(fleet, [wrong])
    (leap,) = ingestion.apply(fleet, as_rows(fleet, [{**row, "offset": 3} for row in of(2)])).leaps
    assert (leap.slot, leap.offset, leap.time_us, leap.newest_us) == (0, 2, wrong["time_us"], START_US + 1_000_000)
    assert leap.readings == {"current_a": 7.0, "soc_percent": 0.25}


@pytest.mark.parametrize("lateness_s", [0, None])
def test_a_gap_of_a_day_loses_nothing(lateness_s: float | None) -> None:
    """The second row after it confirms the first, though a straggler from before it comes between."""
    fleet = a_fleet(lateness_s=lateness_s)
    late, leaps, *_ = outcome(fleet, of(*range(10), DAY, DAY + 1, DAY + 2))
    assert (late, leaps, count(fleet)) == ([], [], 13)
    straggling = a_fleet(lateness_s=5)
    late, leaps, *_ = outcome(straggling, of(*range(10), DAY, 8.5, DAY + 1, DAY + 2))
    assert (late, leaps, count(straggling)) == ([], [], 14)


def test_a_held_row_counts_when_it_is_confirmed() -> None:
    """Until then neither the newest stamp nor any window knows of it; the end of an upload counts it."""
    fleet = a_fleet()
    outcome(fleet, of(0, 1, 2, DAY, DAY))
    assert (count(fleet), int(fleet.integers.held_rows[0])) == (3, 2)
    assert int(fleet.integers.last_us[0]) == START_US + 2_000_000
    ingestion.finish(fleet, 0, 9)
    assert (count(fleet), int(fleet.integers.held_rows[0])) == (5, 0)


def test_neighbours_beyond_a_gap_may_be_swapped() -> None:
    """Where lateness is allowed, the second row may be behind the first."""
    fleet = a_fleet(lateness_s=5)
    late, leaps, *_ = outcome(fleet, of(*range(10), DAY + 1, DAY, DAY + 3, DAY + 2))
    assert (late, leaps, count(fleet)) == ([], [], 14)


def test_steps_of_an_own_period_are_no_leaps() -> None:
    """Rows every two hours count at once when the period is known."""
    fleet = a_fleet({"a": AssetSpec(sampling_period_s=2 * HOUR)})
    outcome(fleet, of(0, 2 * HOUR, 4 * HOUR))
    assert count(fleet) == 3
    measured = a_fleet()
    outcome(measured, of(*(i * 2 * HOUR for i in range(9))))
    assert count(measured) == 9


def test_a_clock_that_stands_still_after_a_leap_is_believed_at_last() -> None:
    """Half of the rows that may wait share the stamp: the other half is for the asset's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion, "MAX_WAITING", 20)
        fleet = a_fleet()
        outcome(fleet, of(0, 1, *[DAY] * 11))
        assert (count(fleet), int(fleet.integers.held_rows[0])) == (13, 0)


STEPS_S = st.lists(st.sampled_from([0, 0.5, 1, 1, 1, 1, 2, -0.5, -1, -4, -9, -30, 2 * HOUR, -2 * HOUR, DAY, -DAY]))


@given(
    steps_s=STEPS_S,
    lateness_s=st.sampled_from([0.0, 5.0, None]),
    drops=st.booleans(),
    most=st.sampled_from([6, 20, 8192]),
    data=st.data(),
)
def test_batching_and_restarts_change_no_bit(
    steps_s: list[float], lateness_s: float | None, drops: bool, most: int, data: st.DataObject
) -> None:
    """Late rows, refused leaps, states and windows are the same cut anywhere, and over a restart at any row."""
    rows = of(*np.cumsum([0, *[1] * data.draw(st.sampled_from([0, 70])), *steps_s]).tolist())
    for row in rows:
        row["current"] = float(data.draw(st.integers(0, 1)))
    spec = {"a": AssetSpec(duplicates="drop" if drops else "count")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion, "MAX_WAITING", most)
        one = outcome(a_fleet(spec, lateness_s=lateness_s), rows)
        assert outcome(a_fleet(spec, lateness_s=lateness_s), rows, range(len(rows))) == one
        cut = data.draw(st.integers(0, len(rows)))
        before = a_fleet(spec, lateness_s=lateness_s)
        first = outcome(before, rows[:cut])
        after = a_fleet(lateness_s=lateness_s)
        Snapshots(after).load("a", Snapshots(before).dump_all(np.array([0]))[0], {})
        second = outcome(after, rows[cut:])
        assert (first[0] + second[0], first[1] + second[1], second[2], first[3] | second[3]) == one


def shuffled(kind: str, rate_hz: int, seconds: int) -> list[float]:
    """Stamps [s] in the order of their arrival."""
    stamps = [i / rate_hz for i in range(seconds * rate_hz)]
    batch = 5 * rate_hz
    batches = [stamps[i : i + batch] for i in range(0, len(stamps), batch)]
    match kind:
        case "neighbours":
            return [stamp for a, b in zip(stamps[::2], stamps[1::2], strict=True) for stamp in (b, a)]
        case "pairs of batches":
            return [stamp for a, b in zip(batches[::2], batches[1::2], strict=True) for stamp in (*b, *a)]
        case "in batches":
            rng = np.random.default_rng(1)
            return [stamp for part in batches for stamp in rng.permutation(part).tolist()]
        case _:
            again = 2 * rate_hz
            return [
                stamp for i, part in enumerate(batches) for stamp in (*(batches[i - 1][-again:] if i else ()), *part)
            ]


@pytest.mark.parametrize("kind", ["neighbours", "pairs of batches", "in batches", "the last 2 s again"])
@pytest.mark.parametrize("rate_hz", [1, 10])
def test_an_asset_in_disorder_loses_nothing_by_default(kind: str, rate_hz: int) -> None:
    """The lateness that it learns covers retries, threads of a gateway and batches of 5 s."""
    fleet = a_fleet(lateness_s=None)
    rows = of(*shuffled(kind, rate_hz, 300))
    late, leaps, *_ = outcome(fleet, rows, range(0, len(rows), 7))
    assert (late, leaps, count(fleet)) == ([], [], len(rows))


def test_an_asset_in_order_waits_for_nothing() -> None:
    """After its first minute a row settles all rows before it; the first row out of order is lost, and no other."""
    fleet = a_fleet(lateness_s=None)
    outcome(fleet, of(*range(61)))
    assert int(fleet.integers.watermark_us[0]) == int(fleet.integers.last_us[0])
    late, *_ = outcome(fleet, [{**row, "offset": 100 + i} for i, row in enumerate(of(*range(61, 70), 71, 70, 73, 72))])
    assert late == [110]
    assert int(fleet.integers.watermark_us[0]) < int(fleet.integers.last_us[0])


def test_rows_beyond_the_cap_teach_nothing() -> None:
    """No lateness would save them, so the asset's other rows need not wait."""
    fleet = a_fleet(lateness_s=None)
    late, *_ = outcome(fleet, of(*range(61), 5, 61, 5, 62))
    assert late == [61, 63]
    assert int(fleet.integers.unordered_rows[0]) == 0


@given(times=st.lists(st.integers(1, 3), min_size=1, max_size=60), cuts=st.sets(st.integers(0, 180)))
def test_repeated_rows_are_left_out(times: list[int], cuts: set[int]) -> None:
    """Each row one to three times, across fetches: the same numbers as once, and the repeats are counted."""
    spec = {"a": AssetSpec(duplicates="drop")}
    once = [{**row, "current": float(i % 3)} for i, row in enumerate(of(*(i // 2 for i in range(len(times)))))]
    repeated = [row for row, n in zip(once, times, strict=True) for _ in range(n)]
    repeated = [{**row, "offset": i} for i, row in enumerate(repeated)]
    straight, bridged = a_fleet(spec), a_fleet(spec)
    fed(straight, once)
    fed(bridged, repeated, {cut for cut in cuts if cut < len(repeated)})
    assert lifetime(bridged) == lifetime(straight)
    assert int(bridged.integers.repeated_rows[0]) == sum(times) - len(times)


def test_two_values_of_one_stamp_are_counted_and_told() -> None:
    """They differ in a reading, be it only that one was not measured."""
    fleet = a_fleet({"a": AssetSpec(duplicates="drop")})
    rows = of(0, 1, 1, 1, 2)
    rows[2]["current"] = 2.0
    rows[3]["current"] = None
    outcome(fleet, rows)
    assert count(fleet) == 5
    assert (int(fleet.integers.repeated_rows[0]), int(fleet.integers.differing_rows[0])) == (0, 2)


def test_a_leap_after_a_silence_is_held_though_nothing_else_waits() -> None:
    """Windows of the silent asset are closed; the row that comes back counts with the next, or is refused."""
    for cuts in ((), range(12)):
        fleet = a_fleet()
        fed(fleet, of(*range(5)))
        ingestion.close_until(fleet, 0, START_US + DAY * 10**6, 10)
        rows = of(2 * DAY, DAY + 1, 2 * DAY, 2 * DAY + 1, 2 * DAY + 2)
        back = [{**row, "offset": 20 + row["offset"]} for row in rows]
        late, leaps, *_ = outcome(fleet, back, [cut for cut in cuts if cut < 5])
        assert (late, leaps, count(fleet)) == ([], [20], 9)


def test_a_silent_asset_closes_up_to_its_held_row_and_no_further() -> None:
    """A held row before the time counts; one at or after it is held on, and its asset's windows close all the same."""
    for held_s, held in ((2 * HOUR, 0), (2 * DAY, 1)):
        fleet = a_fleet()
        fed(fleet, of(*range(5), held_s))
        closed = ingestion.close_until(fleet, 0, START_US + DAY * 10**6, 10)
        assert (int(fleet.integers.held_rows[0]), count(fleet)) == (held, 6 - held)
        assert {60_000_000, 900_000_000, 3_600_000_000, 86_400_000_000} == {
            int(size_us) for part in closed for size_us in part.size_us
        }
