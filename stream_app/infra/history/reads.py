"""Questions to the store, through a small pool that connects when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import asyncpg
import orjson
from asyncpg import Connection

from schemas.asset import window_size_s
from stream_app.history_settings import HistorySettings
from stream_app.infra.history.columns import DOUBLES, quoted, read_columns
from stream_app.infra.history.database import database_failures, options
from stream_app.usecases.history_ports import Column, Points, Ranked, Ranking

_MOST_CONNECTIONS: Final = 4
_ANSWER_S: Final = 10.0
_WAIT_S: Final = 5.0
_IDLE_S: Final = 60.0
_NOTHING: Final = "null::double precision"


class PostgresReads:
    """The store's answers (port ``HistoryReads``)."""

    def __init__(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None
        self._columns: dict[str, str] = {}

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.terminate()

    async def newest(self, asset_id: str) -> Mapping[str, datetime]:
        """Start of the newest window of each size (port)."""
        async with self._connection() as connection:
            rows = await connection.fetch("select size, start from latest where asset_id = $1", asset_id)
        return {row["size"]: row["start"] for row in rows}

    async def points(
        self, asset_id: str, size: str, column: Column, start: datetime, end: datetime, step_s: int
    ) -> Points:
        """Values of a time (port)."""
        async with self._connection() as connection:
            value = await self._value(connection, column)
            windows = f"where asset_id = $1 and size = $2 and start >= $3 and start < $4 and {value} is not null"
            # Not extract(), which calculates with decimal digits.
            step = "(date_part('epoch', start)::bigint - $5::bigint) / $6::bigint"
            if step_s == window_size_s(size):
                query = f"select {step}, {value}, {value}, {value} from windows {windows} order by start"  # noqa: S608
            else:
                query = (
                    f"select {step} as step, avg({value}), min({value}), max({value}) "  # noqa: S608  # quoted
                    f"from windows {windows} group by 1 order by 1"
                )
            rows = await connection.fetch(query, asset_id, size, start, end, int(start.timestamp()), step_s)
        return Points(*zip(*rows, strict=True)) if rows else Points((), (), (), ())

    async def reasons(self, asset_id: str, size: str, metric: str, start: datetime, end: datetime) -> Mapping[str, int]:
        """Windows without a value by reason (port)."""
        async with self._connection() as connection:
            rows = await connection.fetch(
                "select r.reasons, w.windows from (select reasons_id, count(*) as windows from windows "
                "where asset_id = $1 and size = $2 and start >= $3 and start < $4 group by 1) w "
                "join reasons r on r.id = w.reasons_id",
                *(asset_id, size, start, end),
            )
        counted: Counter[str] = Counter()
        for row in rows:
            reason = orjson.loads(row["reasons"]).get(metric)
            if reason is not None:
                counted[reason] += row["windows"]
        return dict(counted.most_common())

    async def ranking(
        self, size: str, column: Column, start: datetime | None, prefix: str, *, descending: bool, limit: int
    ) -> Ranking:
        """Assets by value (port)."""
        table, at = ("latest", "") if start is None else ("windows", " and start = $3")
        order = "desc" if descending else "asc"
        where = f"from {table} where size = $1 and starts_with(asset_id, $2){at}"
        given = (size, prefix) if start is None else (size, prefix, start)
        async with self._connection() as connection:
            value = await self._value(connection, column)
            counts = await connection.fetchrow(f"select count(*) as windows, count({value}) as defined {where}", *given)
            rows = await connection.fetch(
                f"select asset_id, {value} as value, start, final {where} and {value} is not null "
                f"order by {value} {order}, asset_id limit {limit:d}",
                *given,
            )
        return Ranking([Ranked(*row) for row in rows], counts["defined"], counts["windows"] - counts["defined"])

    async def _value(self, connection: Connection, column: Column) -> str:
        """Expression of a number; a metric that never had a value has no column."""
        if column.metric not in self._columns:
            self._columns = await read_columns(connection)
        kind = self._columns.get(column.metric)
        if kind is None or (kind == DOUBLES) != (column.place is not None):
            return _NOTHING
        return quoted(column.metric) if column.place is None else f"{quoted(column.metric)}[{column.place + 1:d}]"

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with database_failures(self._settings):
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **options(self._settings),
                    min_size=0,
                    max_size=_MOST_CONNECTIONS,
                    command_timeout=_ANSWER_S,
                    max_inactive_connection_lifetime=_IDLE_S,
                )
            async with self._pool.acquire(timeout=_WAIT_S) as connection:
                yield connection
