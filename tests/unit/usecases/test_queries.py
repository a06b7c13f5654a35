"""Windows and lists: pages, sizes, and all workers together."""

from __future__ import annotations

import pytest

from schemas.asset import AssetSpec, window_size_name
from stream_app.usecases.errors import InvalidError, NotFoundError
from stream_app.usecases.queries import WindowsFound
from tests.fakes import CATALOGUE
from tests.updates import updates_of
from tests.worker import Worker


@pytest.fixture
def worker() -> Worker:
    return Worker()


def windows_of(found: WindowsFound) -> list[tuple[str, bool]]:
    """Start (time of day) and finality of each window, closed ones first."""
    closed = [u for part in found.closed for u in updates_of(CATALOGUE, part, found.asset_id, closed=True)]
    current = None if found.view is None else found.view.readings
    opened = updates_of(CATALOGUE, current, found.asset_id) if current is not None else []
    size = window_size_name(found.size_us // 1_000_000)
    return [(update.window.start[11:], update.final) for update in [*closed, *opened] if update.window.size == size]


# --- windows ---------------------------------------------------------------------------------------------------------


async def test_windows_are_closed_ones_then_the_open_one(worker: Worker) -> None:
    """Oldest first; other sizes are left out."""
    worker.tables.put("a", sizes=("1m", "15m"))
    for start_s in (-60, -180, -120):
        worker.tables.close_window("a", "1m", start_s)
    worker.tables.close_window("a", "15m", -900)
    found = await worker.queries.windows("a", "1m", limit=10)
    assert isinstance(found, WindowsFound)
    assert windows_of(found) == [
        ("23:57:00Z", True),
        ("23:58:00Z", True),
        ("23:59:00Z", True),
        ("00:00:00Z", False),
    ]
    assert found.next_cursor is None


async def test_windows_are_paged_towards_the_past(worker: Worker) -> None:
    """Each page holds the newest before the cursor, each window once."""
    worker.tables.put("a")
    for minute in range(-5, 0):
        worker.tables.close_window("a", "1m", 60 * minute)
    pages, cursor = [], None
    for _ in range(3):
        found = await worker.queries.windows("a", "1m", limit=2, cursor=cursor)
        assert isinstance(found, WindowsFound)
        pages.append([start[3:5] for start, final in windows_of(found) if final])
        cursor = found.next_cursor
    assert pages == [["58", "59"], ["56", "57"], ["55"]]
    assert cursor is None


async def test_window_size_may_be_written_in_another_unit(worker: Worker) -> None:
    """60s is 1m."""
    worker.tables.put("a")
    worker.tables.close_window("a", "1m", -60)
    found = await worker.queries.windows("a", "60s", limit=10)
    assert isinstance(found, WindowsFound)
    assert len(windows_of(found)) == 2


async def test_long_page_is_read_in_parts(worker: Worker) -> None:
    """Each part is read as one, and the parts together are the page."""
    worker.tables.put("a")
    for minute in range(-50, 0):
        worker.tables.close_window("a", "1m", 60 * minute)
    found = await worker.queries.windows("a", "1m", limit=45)
    assert isinstance(found, WindowsFound)
    assert 1 < len(found.closed) < 10
    assert [start[3:5] for start, final in windows_of(found) if final] == [str(minute) for minute in range(15, 60)]


async def test_size_that_the_asset_does_not_keep_is_404(worker: Worker) -> None:
    """The problem names what it keeps: the sizes of its spec, else the default ones."""
    worker.tables.put("a")
    worker.tables.put("b", spec=AssetSpec(windows=("1h", "1d")))
    with pytest.raises(NotFoundError, match="no 7m windows, but 1m, 15m"):
        await worker.queries.windows("a", "7m", limit=10)
    with pytest.raises(NotFoundError, match="but 1h, 1d"):
        await worker.queries.windows("b", "7m", limit=10)


async def test_size_without_windows_yet_is_an_empty_list(worker: Worker) -> None:
    """It is kept; nothing has come."""
    worker.tables.put("a", rows=0)
    found = await worker.queries.windows("a", "15m", limit=10)
    assert isinstance(found, WindowsFound)
    assert windows_of(found) == []


@pytest.mark.parametrize("size", ["lifetime", "0m", "15", "-1m", "1w"])
async def test_text_that_is_not_a_size_is_refused(worker: Worker, size: str) -> None:
    """The problem shows what a size looks like."""
    with pytest.raises(InvalidError, match="such as 15m"):
        await worker.queries.windows("a", size, limit=10)
