"""Windows in PostgreSQL: a batch is copied to a temporary table as CSV and merged from there, all or nothing."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import asyncpg
import orjson
from asyncpg import Connection

from stream_app.history_settings import HistorySettings
from stream_app.infra.history.columns import (
    KEYS,
    add_columns,
    add_incoming,
    incoming_statement,
    merge_statements,
    new_columns,
    read_columns,
)
from stream_app.infra.history.database import connect, database_failures, lock, migrate
from stream_app.usecases.history_ports import RowsRefusedError, WindowRow
from stream_app.usecases.history_writing import month_of
from stream_app.wire.update_cells import Form, UpdateCells, reasons_by_name

#: Table of a month, as ``windows_2026_03``.
MONTH: Final = re.compile("windows_([0-9]{4,})_([0-9]{2})")
#: Sets of reasons that are remembered as stored; a fleet has some hundred.
_REMEMBERED: Final = 20_000
#: Rows that are written as text before others have the event loop: some ms.
_AT_ONCE: Final = 200

_Forms = dict[Form, list[WindowRow]]


class PostgresStore:
    """The store, with one connection, which is made anew when it has failed (port ``WindowStore``)."""

    def __init__(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._columns: dict[str, str] = {}
        self._months: set[datetime] = set()
        self._reasons: dict[tuple[Form, bytes], int | None] = {}
        self._incoming: set[str] = set()

    async def prepare(self) -> None:
        """Connect, and bring the tables to this release's form; UnavailableError while that is impossible."""
        await self._connected()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def write(self, rows: Sequence[WindowRow]) -> None:
        """Merge rows (port)."""
        try:
            with database_failures(self._settings):
                try:
                    await self._write(await self._connected(), rows)
                except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
                    raise RowsRefusedError(str(error)) from error
        except RowsRefusedError:
            self._reasons.clear()  # those of this batch are not stored
            raise
        except Exception:
            await self.close()  # what was known of the database need not hold for the next one
            raise

    async def drop_before(self, time: datetime) -> Sequence[str]:
        """Drop months (port)."""
        dropped = []
        with database_failures(self._settings):
            connection = await self._connected()
            for name in await months(connection):
                begin, end = bounds_of(name)
                if end <= time:
                    await connection.execute(f"drop table {name}")
                    self._months.discard(begin)
                    dropped.append(name)
        return dropped

    async def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._connection = None
        connection = await connect(self._settings)
        try:
            with database_failures(self._settings):
                await migrate(connection)
                self._months.clear()
                self._reasons.clear()
                await self._look_at_columns(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        return connection

    async def _look_at_columns(self, connection: Connection) -> None:
        self._columns = await read_columns(connection)
        self._merges = merge_statements(self._columns)
        self._incoming = set(self._columns)
        await connection.execute("drop table if exists incoming")
        await connection.execute(incoming_statement(self._columns))

    async def _write(self, connection: Connection, rows: Sequence[WindowRow]) -> None:
        forms: _Forms = defaultdict(list)
        for row in rows:
            forms[row.cells.form].append(row)
        await self._add_columns(connection, forms)
        await self._add_months(connection, rows)
        async with connection.transaction():
            await connection.execute("truncate incoming")
            for form, some in forms.items():
                ids = await self._store_reasons(connection, some)
                columns = [*KEYS, "in_windows", "in_latest", *form.names]
                await connection.copy_to_table("incoming", source=_csv(some, ids), columns=columns, format="csv")
            for merge in self._merges:
                await connection.execute(merge)

    async def _add_columns(self, connection: Connection, forms: _Forms) -> None:
        added: dict[str, str] = {}
        for form, rows in forms.items():
            added |= new_columns(self._columns | added, form, b"".join([row.cells.kinds for row in rows]))
        if added:
            await add_columns(connection, added)
            await self._look_at_columns(connection)
        unknown = {name for form in forms for name in form.names} - self._incoming
        await add_incoming(connection, sorted(unknown))
        self._incoming |= unknown

    async def _add_months(self, connection: Connection, rows: Sequence[WindowRow]) -> None:
        needed = {month_of(start) for start in {row.head.start for row in rows if row.in_windows}}
        missing = [month for month in sorted(needed) if month[0] not in self._months]
        if not missing:
            return
        async with connection.transaction():
            await lock(connection)
            for begin, end in missing:
                await connection.execute(
                    f"create table if not exists windows_{begin:%Y_%m} partition of windows "
                    f"for values from ('{begin:%Y-%m-%d} 00:00:00+00') to ('{end:%Y-%m-%d} 00:00:00+00')"
                )
        self._months |= {begin for begin, _ in missing}

    async def _store_reasons(self, connection: Connection, rows: Sequence[WindowRow]) -> list[int | None]:
        """Id of each row's reasons."""
        if len(self._reasons) > _REMEMBERED:
            self._reasons.clear()
        new: dict[int, str] = {}
        ids: list[int | None] = []
        for row in rows:
            key = row.cells.form, row.cells.reasons
            if key not in self._reasons:
                text = _reasons_text(row.cells)
                self._reasons[key] = None if text is None else _hash(text)
                if text is not None:
                    new[_hash(text)] = text
            ids.append(self._reasons[key])
        if new:
            try:
                await connection.executemany("insert into reasons values ($1, $2) on conflict do nothing", new.items())
            except BaseException:
                self._reasons.clear()
                raise
        return ids


async def _csv(rows: Sequence[WindowRow], ids: Sequence[int | None]) -> AsyncIterator[bytes]:
    """Rows of one form, some at a time: others have the event loop between."""
    for first in range(0, len(rows), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        lines = [_line(row, reasons_id) for row, reasons_id in zip(rows[some], ids[some], strict=True)]
        yield b"\n".join([*lines, b""])
        await asyncio.sleep(0)


def _line(row: WindowRow, reasons_id: int | None) -> bytes:
    head, cells = row.head, row.cells
    asset_id = head.asset_id.replace('"', '""')
    keys = (
        f'"{asset_id}",{head.size},{_stamp(head.start)},{_text(head.partition)},{head.seq},'
        f"{head.final:d},{_text(reasons_id)},{row.in_windows:d},{row.in_latest:d}"
    )
    return b"%b,%b" % (keys.encode(), cells.text) if cells.kinds else keys.encode()


def bounds_of(table: str) -> tuple[datetime, datetime]:
    """Begin and end of a month by the name of its table."""
    year, month = map(int, table.removeprefix("windows_").split("_"))
    return month_of(datetime(year, month, 1, tzinfo=UTC))


async def months(connection: Connection) -> list[str]:
    """Tables of months, ascending."""
    rows = await connection.fetch(
        "select table_name from information_schema.tables where table_schema = current_schema()"
    )
    return sorted(row["table_name"] for row in rows if MONTH.fullmatch(row["table_name"]))


#: Windows of a batch have few starts.
_stamp = lru_cache(maxsize=10_000)(datetime.isoformat)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _reasons_text(cells: UpdateCells) -> str | None:
    reasons = reasons_by_name(cells)
    # Sorted, so that equal sets have one text whatever the order of their metrics.
    return orjson.dumps(reasons, option=orjson.OPT_SORT_KEYS).decode() if reasons else None


def _hash(text: str) -> int:
    """Id of a set of reasons, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
