"""Refused rows are counted by asset, by partition and code, and within a time."""

from __future__ import annotations

import pytest

from stream_app.usecases.errors import NotFoundError
from stream_app.usecases.ingest import Applied
from stream_app.usecases.rejected_rows import Refused, RejectedRows
from tests.unit.clock import Clock
from tests.unit.usecases.site import Site, a_row
from tests.worker import Worker


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rejected(clock: Clock) -> RejectedRows:
    return RejectedRows(clock)


def refused(asset_id: str | None = "a", rows: int = 1, applied_before: int = 0) -> Refused:
    return Refused(asset_id, "bad_row", rows, "because", applied_before)


def test_an_ingest_says_which_rows_of_which_asset_it_refused() -> None:
    """Of each asset with the rows that it had before, whether the same fetch brings good ones or not."""
    site = Site()
    site.add("a", *(a_row(i) for i in range(10)))
    site.ingest.apply(site.fetch())
    site.add("a", a_row(20), a_row(5), {**a_row(30), "current": "high"})
    site.add("b", {**a_row(0), "current": "high"})
    site.log.append((None, b"{}"))
    applied = site.ingest.apply(site.fetch(10))
    assert isinstance(applied, Applied)
    told = {(each.asset_id, each.code): (each.rows, each.applied_before) for each in applied.refused}
    assert told == {
        ("a", "late"): (1, 10),
        ("a", "bad_row"): (1, 10),
        ("b", "bad_row"): (1, 0),
        (None, "key_mismatch"): (1, 0),
    }
    assert applied.rejected == 4


def test_the_share_of_an_asset_counts_from_its_first_refusal(rejected: RejectedRows) -> None:
    """An asset with a long past whose every row is wrong now has a share of 1."""
    assert rejected.of(0, "a") is None
    rejected.take(0, 0, [refused(rows=3, applied_before=10**6)])
    found = rejected.of(0, "a")
    assert found is not None
    assert (found.rows, found.share(10**6), found.share(10**6 + 9)) == (3, 1.0, 0.25)


def test_the_recent_share_forgets(rejected: RejectedRows, clock: Clock) -> None:
    """It says which part of all rows was refused of late, and why; later nothing."""
    rejected.take(0, 60, [])
    assert rejected.recently() == ""
    rejected.take(1, 0, [refused(rows=40)])
    assert rejected.recently().startswith("40 of 100 rows (40%) were rejected in the last 5 min: bad_row 40 in part")
    clock.now_s += 301
    assert rejected.recently() == ""


def test_the_log_gets_each_code_of_a_partition_once_in_a_time(rejected: RejectedRows, clock: Clock) -> None:
    """The first at once, all others added up; none is left out."""
    rejected.take(0, 0, [refused(), refused()])
    rejected.take(1, 0, [refused()])
    assert [(p, rows) for p, _, rows, _ in rejected.due(60)] == [(0, 2), (1, 1)]
    rejected.take(0, 0, [refused("z", rows=5)])
    assert rejected.due(60) == []
    clock.now_s += 60
    ((partition, code, rows, last),) = rejected.due(60)
    assert (partition, code, rows, last.asset_id) == (0, "bad_row", 5, "z")
    assert rejected.due(0) == []


def test_a_partition_that_went_away_is_forgotten_and_assets_are_bounded(rejected: RejectedRows) -> None:
    """Its next owner counts; ids that no rows ever had fill no memory."""
    rejected.take(0, 0, [refused()])
    rejected.take(1, 0, [refused()])
    rejected.release([1])
    assert rejected.of(0, "a") is None
    rejected.take(1, 0, [refused(f"id-{i}") for i in range(10_000)])
    assert rejected.of(1, "a") is None
    assert rejected.of(1, "id-0") is not None


async def test_an_asset_whose_every_row_is_wrong_is_told_so() -> None:
    """It does not exist, and the answer says why."""
    worker = Worker()
    worker.rejected.take(1, 0, [refused(rows=500)])
    with pytest.raises(NotFoundError, match=r"'a' has been processed: 500 were rejected .*because"):
        await worker.queries.asset("a")
