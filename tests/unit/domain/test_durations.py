"""Durations from stamps: each case is drawn as stamp [s] per row and the time that the row must have held."""

from __future__ import annotations

import numpy as np
import pytest

from stream_app.domain.durations import MAX_PER_STAMP, RING, Durations, StepHistory, measure

NAN = float("nan")


def settled(stamps_s: list[float], *, period_s: float = NAN, max_gap_s: float = NAN, flush: bool = False) -> Durations:
    history = StepHistory(np.zeros(1, np.int64), np.zeros((1, RING)), np.full(1, np.nan))
    return measure(
        np.zeros(1, np.int64),
        (np.array(stamps_s) * 1e6).astype(np.int64),
        history,
        watermark_us=np.array([int(stamps_s[-1] * 1e6)]),
        nominal_s=np.array([period_s]),
        max_gap_s=np.array([max_gap_s]),
        flush=np.array([flush]),
    )


@pytest.mark.parametrize(
    ("stamps_s", "dt_s"),
    [
        pytest.param([0, 1, 2, 3], [1, 1, 1], id="a reading holds until the next one; the last one waits"),
        pytest.param([5], [], id="one row has no duration yet"),
        pytest.param([0, 0.5, 3], [0.5, 0], id="2.5 s after 0.5 s periods is a gap"),
        pytest.param([0, 3599, 3600], [3599, 1], id="while no period is known a step of up to an hour counts"),
        pytest.param([0, 3601, 3602], [0, 1], id="and a longer one does not"),
        pytest.param([0, 0, 60, 60, 120], [30, 30, 30, 30], id="rows of one stamp share the time to the next"),
        pytest.param([0, 0, 60, 60], [], id="a file may begin within a stamp: the first one waits for the second"),
        pytest.param([0, 60, 60, 60, 120], [60, 20, 20, 20], id="a single first row does not wait"),
        pytest.param([0, 0, 60, 60, 60, 120], [20, 20, 20, 20, 20], id="the first stamp takes the second one's step"),
        pytest.param(
            [0, 0, 2, 2, 4, 4, 1000], [1, 1, 1, 1, 1, 0], id="before a gap all rows of a stamp but the last are known"
        ),
    ],
)
def test_durations(stamps_s: list[float], dt_s: list[float]) -> None:
    """Rows hold until the next stamp, share repeated stamps, and hold nothing before a gap."""
    timed = settled(stamps_s)
    assert timed.dt_s.tolist() == dt_s
    assert timed.settled.sum() == len(dt_s)


def test_a_gap_is_told_once_with_its_length() -> None:
    """Period 1 s, then 100 s of nothing: one gap of 100 s, at the row before it."""
    timed = settled([0, 1, 2, 102, 103])
    assert timed.gap_s.tolist() == [0, 0, 100, 0]
    assert timed.valid.tolist() == [True, True, False, True]


def test_the_specs_period_and_limit_win() -> None:
    """A configured period makes the limit three of it; a configured limit beats both."""
    assert settled([0, 1, 2, 12, 13], period_s=5).gap_s.tolist() == [0, 0, 0, 0]
    assert settled([0, 1, 2, 22, 23], period_s=5).gap_s.tolist() == [0, 0, 20, 0]
    assert settled([0, 1, 2, 22, 23], max_gap_s=30).gap_s.tolist() == [0, 0, 0, 0]


def test_a_slower_rate_is_a_gap_only_until_it_is_the_rate() -> None:
    """After half of the remembered steps are slow ones the period is the slow one."""
    stamps = [*range(20), *(20 + 60 * i for i in range(30))]
    timed = settled([float(s) for s in stamps])
    assert timed.valid[:20].all()
    assert not timed.valid[20:28].any()
    assert timed.valid[-10:].all()


def test_repeated_stamps_spread_over_their_time() -> None:
    """Three rows at 10:00 and the next at 10:01 stand 20 s apart; a full first stamp begins at its stamp."""
    timed = settled([0, 0, 0, 60, 60, 60, 120])
    assert (timed.time_us / 1e6).tolist() == [0, 20, 40, 60, 80, 100]
    late_start = settled([0, 60, 60, 60, 120]), settled([0, 0, 60, 60, 60, 120])
    assert (late_start[1].time_us / 1e6).tolist()[:2] == [20, 40]


def test_the_last_rows_are_settled_when_none_will_come() -> None:
    """At the end of an upload the rows of the last stamp hold one period each, but for the very last one."""
    timed = settled([0, 0, 60, 60, 120, 120], flush=True)
    assert timed.settled.all()
    assert timed.dt_s.tolist() == [30, 30, 30, 30, 30, 0]


def test_a_stuck_clock_does_not_hold_rows_for_ever() -> None:
    """Of a stamp that repeats without end, all but the newest rows are settled without duration."""
    timed = settled([0.0] + [1.0] * (MAX_PER_STAMP + 10))
    assert timed.settled.sum() == 1 + 10
    assert timed.dt_s.tolist() == [1.0] + [0.0] * 10
