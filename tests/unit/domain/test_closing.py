"""Which offset closed a window: each case is drawn as the asset's stamps [s] above the offsets that brought them."""

from __future__ import annotations

import numpy as np

from stream_app.domain import ingestion
from stream_app.domain.ingestion import close_until, finish
from stream_app.domain.passing import NO_FLUSH, closing_offset
from stream_app.domain.views import Windows
from tests.unit.domain.fleets import START_US, a_fleet, all_bytes, as_rows, fed, lifetime

Row = tuple[float, int]  # stamp [s], source offset


def closed_by(
    rows: list[Row],
    arrived: list[Row],
    *ends_s: float,
    known_from: int = 0,
    lateness_s: float = 0,
    early: bool = False,
) -> list[int]:
    """Offset that closed each window of one asset: its rows in event-time order, and those that arrived just now."""
    stamps_us, offsets = (np.array(column, np.int64) for column in zip(*((s * 1e6, o) for s, o in rows), strict=True))
    newest_us = np.maximum.accumulate(np.array([stamp_s * 1e6 for stamp_s, _ in arrived]).astype(np.int64))
    arrivals = (
        newest_us - round(lateness_s * 1e6),
        np.array([offset for _, offset in arrived]),
        np.zeros(len(arrived), np.int64),
    )
    scratch = stamps_us, offsets, np.zeros((0, len(rows))), np.zeros(0, np.int64)
    given = len(rows), known_from, scratch, arrivals, len(arrived), NO_FLUSH, early
    return [closing_offset(round(end_s * 1e6), *given) for end_s in ends_s]


def test_the_first_row_at_or_after_the_end_closes_a_window() -> None:
    """Without lateness nothing before it can come any more."""
    # window   |    0 .. 60     |   60 .. 120   |
    # stamp       0        59     60          119   130
    # offset      1         2      3            4     5
    #                              ^ closes 0 .. 60
    #                                                ^ closes 60 .. 120
    rows: list[Row] = [(0, 1), (59, 2), (60, 3), (119, 4), (130, 5)]
    assert closed_by(rows, rows, 60, 120) == [3, 5]


def test_with_lateness_a_window_is_closed_by_the_row_that_is_so_much_later() -> None:
    """Until then a row of the window may still come."""
    # window   |    0 .. 60     |
    # stamp       0        59     61     64     66    (5 s may a row be late)
    # offset      1         2      3      4      5
    #                              ^ first stamp behind the end: due at 66
    #                                            ^ closes it
    rows: list[Row] = [(0, 1), (59, 2), (61, 3), (64, 4), (66, 5)]
    assert closed_by(rows, rows, 60, lateness_s=5) == [5]


def test_a_row_that_came_out_of_order_closes_it_when_it_has_arrived_itself() -> None:
    """Rows 70 and 60 arrive so: the window ends at the stamp 60, which was not there before offset 4."""
    # stamp       0    50      60     70
    # offset      1     2       4      3       arrival 3: newest 70, due for 60 + 5 already
    rows: list[Row] = [(0, 1), (50, 2), (60, 4), (70, 3)]
    arrived: list[Row] = [(0, 1), (50, 2), (70, 3), (60, 4)]
    assert closed_by(rows, arrived, 60, lateness_s=5) == [4]


def test_after_a_control_a_window_waits_for_no_row_of_its_own() -> None:
    """All rows before were settled: it closes when no row before its end could come, whatever waits behind it."""
    # window   |    0 .. 60     |
    # stamp                        120   121
    # offset                        7     8       120 is so much later than 60 + 5: 7 closes it
    rows: list[Row] = [(120, 7), (121, 8)]
    assert closed_by(rows, rows, 60, lateness_s=5, early=True) == [7]
    assert closed_by(rows, rows, 60, lateness_s=5) == [8]


def test_nothing_is_closed_before_anything_of_the_asset_could_be_settled() -> None:
    """A file may begin within a stamp: its first rows wait for the second stamp to end."""
    # stamp       0   0    60   60    120
    # offset      1   2     3    4      5
    #                       ^ behind the end, but the first stamp is known from offset 5 on only
    rows: list[Row] = [(0, 1), (0, 2), (60, 3), (60, 4), (120, 5)]
    assert closed_by(rows, rows, 60, known_from=4) == [5]


def test_the_end_of_an_upload_closes_what_no_row_has() -> None:
    """Windows that a row has closed keep that row's offset; the last ones take that of the end."""
    # window   |    0 .. 60     |   60 .. 120   |
    # stamp       0        59     60          80     end of upload
    # offset      0         59    60          80     99
    fleet = a_fleet()
    rows = [{"asset": "a", "offset": i, "time_us": START_US + i * 1_000_000, "current": 1.0} for i in range(81)]
    parts = [*fed(fleet, rows), *finish(fleet, fleet.slot("a"), 99)]
    minutes = [
        (int(start_us), int(seq))
        for part in parts
        for start_us, size_us, seq in zip(part.start_us, part.size_us, part.seq, strict=True)
        if size_us == 60_000_000
    ]
    assert minutes == [(START_US, 60), (START_US + 60_000_000, 99)]


def test_what_is_settled_early_is_closed_by_the_newest_row() -> None:
    """For want of room rows are settled before they are due: the last arrival has made it so."""
    # stamp       0        59     61     64      (60 s may a row be late: due at 121)
    # offset      1         2      3      4
    rows: list[Row] = [(0, 1), (59, 2), (61, 3), (64, 4)]
    assert closed_by(rows, rows, 60, lateness_s=60) == [4]


def test_the_offset_is_the_same_however_rows_were_batched() -> None:
    """Of a fleet: a window's end is told by the same row whether it comes alone or with others."""
    # minute     |       0       |       1       |       2
    # offset      1 .......... 60  61 ....... 120  121
    # closes                       ^ 61            ^ 121
    rows = [{"asset": "a", "offset": 1 + i, "time_us": START_US + i * 1_000_000, "current": 1.0} for i in range(121)]
    for cuts in ((), range(121), (59, 60, 61)):
        minutes = [part for part in fed(a_fleet(), rows, cuts) if part.size_us[0] == 60_000_000]
        seqs = {pair for part in minutes for pair in zip(part.start_us.tolist(), part.seq.tolist(), strict=True)}
        assert seqs == {(START_US, 61), (START_US + 60_000_000, 121)}


def minutes_of(parts: list[Windows]) -> list[tuple[int, int]]:
    """Start [min] and closing offset of each smallest window."""
    return [
        ((int(start_us) - START_US) // 60_000_000, int(seq))
        for part in parts
        for start_us, size_us, seq in zip(part.start_us, part.size_us, part.seq, strict=True)
        if size_us == 60_000_000
    ]


def test_windows_of_a_silent_asset_are_closed_up_to_a_time_and_it_goes_on() -> None:
    """Windows that have ended by then close with the control's offset; older rows are late, newer ones count."""
    # minute     |       0       |     1 ..      |      3
    # stamp       0 .......... 50  silent        190, and 100 late
    # offset      0 .......... 50  99, 100 (twice)  101       102
    fleet = a_fleet()
    rows = [{"asset": "a", "offset": i, "time_us": START_US + i * 1_000_000, "current": 1.0} for i in range(51)]
    fed(fleet, rows)
    before = lifetime(fleet)
    slot, until_us = fleet.slot("a"), START_US + 120_000_000
    closed = close_until(fleet, slot, until_us, 99)
    assert minutes_of(closed) == [(0, 99)]
    assert {int(size_us) for part in closed for size_us in part.size_us} == {60_000_000}
    assert lifetime(fleet) == before
    assert close_until(fleet, slot, until_us, 100) == []
    late = {"asset": "a", "offset": 101, "time_us": START_US + 100_000_000, "current": 1.0}
    back = {"asset": "a", "offset": 102, "time_us": START_US + 190_000_000, "current": 1.0}
    assert ingestion.apply(fleet, as_rows(fleet, [late, back])).late.tolist() == [0]
    assert lifetime(fleet)["total_data_points"] == 52
    assert minutes_of(close_until(fleet, slot, START_US + 240_000_000, 103)) == [(3, 103)]


def test_larger_windows_are_closed_when_they_have_ended_too() -> None:
    """Nothing waits any more then: the windows close all the same, each once and the day last."""
    fleet = a_fleet()
    fed(fleet, [{"asset": "a", "offset": i, "time_us": START_US + i * 1_000_000, "current": 1.0} for i in range(51)])
    slot, day_us = fleet.slot("a"), 86_400_000_000
    sizes = []
    for seq, until_us in enumerate((60_000_000, 900_000_000, 3_600_000_000, day_us), 99):
        parts = close_until(fleet, slot, START_US + until_us, seq)
        sizes.append([(int(part.size_us[0]), int(part.seq[0])) for part in parts])
    assert sizes == [[(60_000_000, 99)], [(900_000_000, 100)], [(3_600_000_000, 101)], [(day_us, 102)]]
    assert not close_until(fleet, slot, START_US + 2 * day_us, 103)


def test_an_asset_with_newer_rows_is_left_alone() -> None:
    """It came back before the control: its own rows close its windows."""
    fleet = a_fleet()
    fed(fleet, [{"asset": "a", "offset": i, "time_us": START_US + i * 100_000_000, "current": 1.0} for i in range(3)])
    state = all_bytes(fleet, [])
    assert not close_until(fleet, fleet.slot("a"), START_US + 120_000_000, 99)
    assert all_bytes(fleet, []) == state
