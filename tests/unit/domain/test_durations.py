"""Durations from stamps: each case is drawn as stamp [s] per row and the time that the row must have held."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.durations import MAX_PER_STAMP, RING, Durations, StepHistory, measure, remember_step

NAN = float("nan")


def settled(
    stamps_s: list[float],
    *,
    period_s: float = NAN,
    max_gap_s: float = NAN,
    least_gap_s: float = 0.0,
    flush: bool = False,
    watermark_s: float | None = None,
) -> Durations:
    history = StepHistory(np.zeros(1, np.int64), np.zeros((1, RING)), np.full(1, np.nan))
    return measure(
        np.zeros(1, np.int64),
        (np.array(stamps_s) * 1e6).astype(np.int64),
        history,
        watermark_us=np.array([int((stamps_s[-1] if watermark_s is None else watermark_s) * 1e6)]),
        nominal_s=np.array([period_s]),
        max_gap_s=np.array([max_gap_s]),
        least_gap_s=np.array([least_gap_s]),
        flush=np.array([flush]),
    )


def test_a_reading_holds_until_the_next_one() -> None:
    """The last one waits: nobody knows yet how long it holds."""
    # stamp   0    1    2    3
    # holds   1 -> 1 -> 1 -> waits
    assert settled([0, 1, 2, 3]).dt_s.tolist() == [1, 1, 1]
    assert settled([5]).dt_s.tolist() == []


def test_a_longer_step_than_ten_periods_is_a_gap_that_counts_for_nothing() -> None:
    """It is told once, with its length, at the row before it."""
    # stamp   0    1    2 ........... 102    103
    # holds   1 -> 1 -> -    gap      1 ->   waits
    found = settled([0, 1, 2, 102, 103])
    assert found.dt_s.tolist() == [1, 1, 0, 1]
    assert found.gap_s.tolist() == [0, 0, 100, 0]
    assert found.valid.tolist() == [True, True, False, True]
    # stamp   0     0.5 .......... 6
    # holds   0.5   -    gap       waits
    assert settled([0, 0.5, 6]).dt_s.tolist() == [0.5, 0]
    # stamp   0     0.5 .......... 6        an asset whose steps of up to 10 s are no gaps
    # holds   0.5   5.5            waits
    assert settled([0, 0.5, 6], least_gap_s=10).dt_s.tolist() == [0.5, 5.5]


def test_while_no_period_is_known_a_step_of_up_to_an_hour_counts() -> None:
    """The first step of hourly data is none to leave out."""
    # stamp   0 ..................... 3599    3600
    # holds   3599 ->                 1 ->    waits
    assert settled([0, 3599, 3600]).dt_s.tolist() == [3599, 1]
    # stamp   0 ..................... 3601    3602
    # holds   -          gap          1 ->    waits
    assert settled([0, 3601, 3602]).dt_s.tolist() == [0, 1]


def test_rows_of_one_stamp_share_the_time_to_the_next() -> None:
    """They were taken between it and the next stamp, evenly spread."""
    # stamp   0      60 60 60      120
    # holds   60     20 20 20      waits
    # from    0      60 80 100
    found = settled([0, 60, 60, 60, 120])
    assert found.dt_s.tolist() == [60, 20, 20, 20]
    assert (found.time_us / 1e6).tolist() == [0, 60, 80, 100]


def test_a_first_stamp_that_repeats_waits_for_the_second_and_takes_its_step() -> None:
    """A file may begin within a stamp: then its rows cover the end of the stamp's time."""
    # stamp   0 0      60 60
    # holds   waits    waits       60 may come again
    assert settled([0, 0, 60, 60]).dt_s.tolist() == []
    # stamp   0  0     60 60     120
    # holds   30 30    30 30     waits
    assert settled([0, 0, 60, 60, 120]).dt_s.tolist() == [30, 30, 30, 30]
    # stamp   0  0     60 60 60     120
    # holds   20 20    20 20 20     waits
    # from    20 40    60 80 100
    found = settled([0, 0, 60, 60, 60, 120])
    assert found.dt_s.tolist() == [20, 20, 20, 20, 20]
    assert (found.time_us / 1e6).tolist() == [20, 40, 60, 80, 100]
    assert found.known_from.tolist() == [5]


def test_before_a_gap_all_rows_of_a_stamp_but_the_last_are_known() -> None:
    """They are a period apart; how long the last one held nobody knows."""
    # stamp   0 0    2 2    4 4 ............ 1000
    # holds   1 1    1 1    1 -    gap 995   waits
    found = settled([0, 0, 2, 2, 4, 4, 1000])
    assert found.dt_s.tolist() == [1, 1, 1, 1, 1, 0]
    assert found.gap_s.tolist() == [0, 0, 0, 0, 0, 995]


def test_a_stamp_that_may_still_come_again_is_not_settled() -> None:
    """With lateness the next stamp is certain only up to the watermark."""
    # stamp       0    1    2    3
    # watermark             ^
    # holds       1 -> 1 -> waits
    assert settled([0, 1, 2, 3], watermark_s=2).dt_s.tolist() == [1, 1]


def test_the_specs_period_and_limit_win() -> None:
    """A configured period makes the limit ten of it; a configured limit beats all others."""
    # stamp   0  1  2 ........ 42  43      period 5: limit 50
    assert settled([0, 1, 2, 42, 43], period_s=5).gap_s.tolist() == [0, 0, 0, 0]
    # stamp   0  1  2 ............. 62  63
    assert settled([0, 1, 2, 62, 63], period_s=5).gap_s.tolist() == [0, 0, 60, 0]
    assert settled([0, 1, 2, 62, 63], max_gap_s=70).gap_s.tolist() == [0, 0, 0, 0]
    assert settled([0, 1, 2, 62, 63], max_gap_s=30, least_gap_s=900).gap_s.tolist() == [0, 0, 60, 0]


def test_after_regular_steps_many_periods_of_silence_are_a_gap() -> None:
    """15 steps of 1 s, none longer than 10 s: 60 s without a row are no gap, 61 s are, though 15 minutes would not be.

    After a longer step they are none: such rows are not regular. Nor are they of an asset that reports changes.
    """
    regular = [float(s) for s in range(16)]
    assert settled([*regular, 75, 76], least_gap_s=900).gap_s.tolist() == [0] * 17
    assert settled([*regular, 76, 77], least_gap_s=900).gap_s.tolist() == [0] * 15 + [61, 0]
    assert settled([*regular[:-1], 75, 136, 137], least_gap_s=900).gap_s.tolist() == [0] * 17
    assert settled([*regular, 76, 77], least_gap_s=3600).gap_s.tolist() == [0] * 17
    assert settled([*regular[1:], 76, 77], least_gap_s=900).gap_s.tolist() == [0] * 16


@given(st.lists(st.sampled_from([1, 1, 2, 3, 5, 8, 60, 0.5]), min_size=1, max_size=60), st.integers(0, 59))
def test_the_period_is_the_median_of_the_last_15_steps(steps_s: list[float], stale_at: int) -> None:
    """After each step, whatever the order is; of a state with another median, after 16 steps at the latest."""
    history = np.zeros(1, np.int64), np.zeros((1, RING)), np.full(1, np.nan)
    stale_since = 0
    for i, step_s in enumerate(steps_s):
        remember_step(0, step_s, *history, np.empty(15))
        if i - stale_since >= 16 or stale_since == 0:
            assert history[2][0] == statistics.median(steps_s[max(0, i - 14) : i + 1])
        if i == stale_at:
            history[2][0], stale_since = 4.0, i


def test_a_slower_rate_is_a_gap_only_until_it_is_the_rate() -> None:
    """After half of the remembered steps are slow ones the period is the slow one."""
    # stamp   0 1 2 ... 19    20 .. 80 .. 140 .. 200 ..
    # holds   1 1 1 ... 1     - gap -  gap  -  ... 60 60     the eighth slow step makes 60 s the median
    stamps = [*range(20), *(20 + 60 * i for i in range(30))]
    found = settled([float(s) for s in stamps])
    assert found.valid[:20].all()
    assert not found.valid[20:28].any()
    assert found.valid[28:].all()


def test_the_last_rows_are_settled_when_none_will_come() -> None:
    """At the end of an upload the rows of the last stamp hold one period each, but for the very last one."""
    # stamp   0  0    60 60     120 120    end
    # holds   30 30    30 30    30  -
    found = settled([0, 0, 60, 60, 120, 120], flush=True)
    assert found.settled.all()
    assert found.dt_s.tolist() == [30, 30, 30, 30, 30, 0]


def test_a_stuck_clock_does_not_hold_rows_for_ever() -> None:
    """Of a stamp that repeats without end, all but the newest rows are settled without duration."""
    # stamp   0    1 1 1 1 ... (10 more than may wait)
    # holds   1    0 0 ... 0   the newest 4096 wait
    found = settled([0.0] + [1.0] * (MAX_PER_STAMP + 10))
    assert found.settled.sum() == 1 + 10
    assert found.dt_s.tolist() == [1.0] + [0.0] * 10
