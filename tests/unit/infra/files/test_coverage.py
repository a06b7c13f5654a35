"""How much of a file's time counts, and what is told when it is little."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.file import FileSpec
from stream_app.columns.arrays import IntArray
from stream_app.infra.files.coverage import Coverage


def hourly(minutes: float) -> IntArray:
    """Two rows at the start of each of ten hours, so many minutes apart."""
    times_s = np.arange(10)[:, None] * 3600 + np.array([0, 60 * minutes])
    times_us: IntArray = (times_s.reshape(-1) * 1e6).astype(np.int64)
    return times_us


def covered(times_us: IntArray, spec: FileSpec) -> Coverage:
    """Coverage of these times, which come in two portions."""
    found = Coverage(spec)
    for portion in np.array_split(times_us, 2):
        found.add(portion)
    return found


def test_little_coverage_is_told_with_its_cure() -> None:
    """Of each hour 5 minutes count, the 55 after them are a gap: --max-gap of those 3300 s cures it."""
    told = covered(hourly(5), FileSpec()).warning()
    assert told is not None
    assert "only 9% of the time is covered" in told
    assert "--max-gap 3300" in told
    assert covered(hourly(5), FileSpec(max_gap_s=3300)).warning() is None


@pytest.mark.parametrize("reporting", ["periodic", "on_change"])
def test_readings_that_are_sent_when_they_change_hold_for_an_hour(reporting: str) -> None:
    """Rows 5 and 55 minutes apart."""
    spec = FileSpec.model_validate({"reporting": reporting})
    assert (covered(hourly(5), spec).share() == 1.0) == (reporting == "on_change")
