"""Windows of a time that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.lookup import WindowsAnswer
from tests.unit.infra.http.test_routes import checked

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import Site


async def test_windows_of_a_time(site: Site) -> None:
    """Those that begin in it, the open one too, in pages that end with it."""
    site.tables.put("a")
    for minute in (-3, -2, -1):
        site.tables.close_window("a", "1m", 60 * minute)

    async def page(**query: str) -> WindowsAnswer:
        return checked(WindowsAnswer, await site.client.get("/api/v1/assets/a/windows/1m", params=query))

    async def minutes(**query: str) -> str:
        return " ".join(w.window.start[11:16] for w in (await page(**query)).windows)

    day = "2022-04-12T23:"
    assert await minutes() == "23:57 23:58 23:59 00:00"
    assert await minutes(**{"from": f"{day}58:00Z"}) == "23:58 23:59 00:00"
    assert await minutes(**{"from": f"{day}57:01Z", "to": "2022-04-13T01:59:00+02:00"}) == "23:58"
    assert await minutes(to="2022-04-13T00:00:00Z") == "23:57 23:58 23:59"
    assert await minutes(to="2000-01-01T00:00:00Z") == ""
    newest = await page(**{"from": f"{day}58:00Z", "limit": "1"})
    assert newest.next_cursor is not None
    older = await page(**{"from": f"{day}58:00Z", "limit": "1", "cursor": newest.next_cursor})
    assert ([w.window.start[11:16] for w in older.windows], older.next_cursor) == (["23:58"], None)
    for query in ({"from": f"{day}58:00Z", "to": f"{day}58:00Z"}, {"from": "2022-04-12"}, {"to": f"{day}58:00"}):
        answer = await site.client.get("/api/v1/assets/a/windows/1m", params=query)
        assert answer.json()["code"] in ("bad_time_range", "bad_request_field")
