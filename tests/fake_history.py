"""A history store in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime

from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.history_ports import Column, Points, Ranked, Ranking

_Key = tuple[str, str, datetime]


class FakeReads:
    """Answers from ``put`` windows; while ``away`` it raises."""

    def __init__(self) -> None:
        self.windows: dict[_Key, dict[str, float | str]] = {}
        self.away = False

    def put(self, asset_id: str, size: str, start: datetime, **values: float | str) -> None:
        """Keep a window: of each metric the value, or the reason."""
        self.windows[asset_id, size, start] = values

    def _require(self) -> None:
        if self.away:
            raise UnavailableError("history_unavailable", "the history store at db:5432/h does not answer: start it")

    async def newest(self, asset_id: str) -> Mapping[str, datetime]:
        self._require()
        found: dict[str, datetime] = {}
        for asset, size, start in self.windows:
            if asset == asset_id:
                found[size] = max(start, found.get(size, start))
        return found

    def _in(self, asset_id: str, size: str, start: datetime, end: datetime) -> list[_Key]:
        return sorted(key for key in self.windows if key[:2] == (asset_id, size) and start <= key[2] < end)

    async def points(
        self, asset_id: str, size: str, column: Column, start: datetime, end: datetime, step_s: int
    ) -> Points:
        steps: dict[int, list[float]] = defaultdict(list)
        for key in self._in(asset_id, size, start, end):
            value = self.windows[key].get(column.metric)
            if isinstance(value, float):
                steps[int((key[2] - start).total_seconds()) // step_s].append(value)
        means = [sum(values) / len(values) for values in steps.values()]
        return Points(list(steps), means, [min(v) for v in steps.values()], [max(v) for v in steps.values()])

    async def reasons(self, asset_id: str, size: str, metric: str, start: datetime, end: datetime) -> Mapping[str, int]:
        values = (self.windows[key].get(metric) for key in self._in(asset_id, size, start, end))
        return Counter(value for value in values if isinstance(value, str))

    async def ranking(
        self, size: str, column: Column, start: datetime | None, prefix: str, *, descending: bool, limit: int
    ) -> Ranking:
        self._require()
        newest: dict[str, _Key] = {}
        for key in sorted(self.windows):
            if key[1] == size and key[0].startswith(prefix) and start in (None, key[2]):
                newest[key[0]] = key
        values = {key: self.windows[key].get(column.metric) for key in newest.values()}
        ranked = [
            Ranked(key[0], value, key[2], final=True) for key, value in values.items() if isinstance(value, float)
        ]
        ranked.sort(key=lambda each: -each.value if descending else each.value)
        return Ranking(ranked[:limit], len(ranked), len(values) - len(ranked))
