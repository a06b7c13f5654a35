"""The store as Parquet files, a file per day and window size: for analysts, and as a back-up.

``DIR/windows/<size>/<day>.parquet`` has the windows that begin on a day, by asset; ``DIR/latest.parquet`` the newest
state of each asset and size, lifetimes among them. Each metric is a column, and ``reasons`` says as JSON why metrics
are null.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from asyncpg import Connection

from stream_app.errors import ExpectedError
from stream_app.history_settings import HistorySettings
from stream_app.infra.history.columns import DOUBLES, quoted, read_columns
from stream_app.infra.history.database import connected
from stream_app.infra.history.store import PostgresStore, bounds_of, months
from stream_app.usecases.history_ports import RowsRefusedError, WindowRow
from stream_app.wire.update import UpdateHead
from stream_app.wire.update_cells import Form, UpdateCells, cells_of

_BATCH: Final = 5_000
_LEVEL: Final = 3
_LATEST: Final = "latest.parquet"
_KEYS: Final = (
    pa.field("asset_id", pa.string(), nullable=False),
    pa.field("size", pa.string(), nullable=False),
    pa.field("start", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("partition", pa.int32()),
    pa.field("seq", pa.int64(), nullable=False),
    pa.field("final", pa.bool_(), nullable=False),
    pa.field("reasons", pa.string()),
)
_KEY_NAMES: Final = tuple(field.name for field in _KEYS)

Told = Callable[[str, int], None]
#: Of a file: by the metrics that have reasons alone, beside its columns.
_Forms = dict[tuple[str, ...], Form]


async def export(settings: HistorySettings, folder: Path, told: Told) -> None:
    """Write all that is stored; a file that is there is replaced. ``told`` gets each file with its rows.

    Raises
    ------
    UnavailableError
        The database is away.
    """
    async with connected(settings) as connection:
        try:
            await _export(connection, folder, told)
        except asyncpg.UndefinedTableError:
            msg = "the database has no history yet: run `stream-app history` first"
            raise ExpectedError(msg) from None


async def _export(connection: Connection, folder: Path, told: Told) -> None:
    columns = await read_columns(connection)
    schema = pa.schema(
        [*_KEYS, *(pa.field(n, pa.list_(pa.float64()) if k == DOUBLES else pa.float64()) for n, k in columns.items())]
    )
    names = ", ".join(f"t.{quoted(name)}" for name in (*_KEY_NAMES[:-1],))
    metrics = "".join(f", t.{quoted(name)}" for name in columns)
    select = f"select {names}, r.reasons{metrics} from {{}} t left join reasons r on r.id = t.reasons_id "  # noqa: S608
    sizes = [row["size"] for row in await connection.fetch("select distinct size from latest order by 1")]
    await _file(connection, select.format("latest") + "order by 1, 2", (), schema, folder / _LATEST, told)
    in_time = select.format("windows") + "where t.size = $1 and t.start >= $2 and t.start < $3 order by 1, 3"
    for day in await _days(connection):
        for size in sizes:
            file = folder / "windows" / size / f"{day:%Y-%m-%d}.parquet"
            await _file(connection, in_time, (size, day, day + timedelta(days=1)), schema, file, told)


async def _days(connection: Connection) -> list[datetime]:
    """Days of all months that have a table."""
    days: list[datetime] = []
    for name in await months(connection):
        begin, end = bounds_of(name)
        days += [begin + timedelta(days=n) for n in range((end - begin).days)]
    return days


async def _file(
    connection: Connection, query: str, given: Sequence[Any], schema: pa.Schema, file: Path, told: Told
) -> None:
    """Write what a query finds, some rows at a time; nothing if it finds nothing."""
    part = file.with_suffix(".part")
    writer: pq.ParquetWriter | None = None
    count = 0
    try:
        async with connection.transaction():
            cursor = await connection.cursor(query, *given)
            while rows := await cursor.fetch(_BATCH):
                if writer is None:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    writer = pq.ParquetWriter(part, schema, compression="zstd", compression_level=_LEVEL)
                arrays = [
                    pa.array(cells, field.type) for cells, field in zip(zip(*rows, strict=True), schema, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                count += len(rows)
        if writer is not None:
            writer.close()
            part.replace(file)
            told(str(file), count)
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)


async def restore(settings: HistorySettings, folder: Path, told: Told) -> None:
    """Merge the files of a folder into the store: of what is there already the newer stays.

    Raises
    ------
    ExpectedError
        The folder is none that ``export`` has written.
    UnavailableError
        The database is away.
    """
    files = await asyncio.to_thread(_files, folder)
    if not files:
        msg = (
            f"{folder} has no windows/<size>/<day>.parquet and no latest.parquet: name a folder of `stream-app export`"
        )
        raise ExpectedError(msg)
    store = PostgresStore(settings)
    try:
        await store.prepare()
        for file in files:
            count = 0
            for rows in _rows(file):
                try:
                    await store.write(rows)
                except RowsRefusedError as error:
                    msg = f"{file}: the store does not take it: {error}"
                    raise ExpectedError(msg) from None
                count += len(rows)
            told(str(file), count)
    finally:
        await store.close()


def _files(folder: Path) -> list[Path]:
    latest = folder / _LATEST
    return sorted(folder.glob("windows/*/*.parquet")) + [latest] * latest.is_file()


def _rows(file: Path) -> Iterator[list[WindowRow]]:
    is_latest = file.name == _LATEST
    try:
        with pq.ParquetFile(file) as opened:
            names = tuple(name for name in opened.schema_arrow.names if name not in _KEY_NAMES)
            forms: _Forms = {(): Form(names)}
            for batch in opened.iter_batches(_BATCH):
                keys = zip(*(batch.column(name).to_pylist() for name in _KEY_NAMES), strict=True)
                columns = [batch.column(name).to_pylist() for name in names]
                values = zip(*columns, strict=True) if columns else iter([()] * batch.num_rows)
                yield [
                    WindowRow(UpdateHead(*key[:-1]), _cells(forms, list(row), key[-1]), not is_latest, is_latest)
                    for key, row in zip(keys, values, strict=True)
                ]
    except (pa.ArrowInvalid, KeyError, ValueError, msgspec.MsgspecError) as error:
        reason = str(error).partition("\n")[0]
        msg = f"{file} is no file of `stream-app export` ({reason}): take it out of the folder, or export again"
        raise ExpectedError(msg) from None


def _cells(forms: _Forms, values: list[Any], text: str | None) -> UpdateCells:
    """Put values and reasons together; a metric that was null in all windows has a reason alone."""
    names = forms[()].names
    reasons = {} if text is None else msgspec.json.decode(text, type=dict[str, str])
    alone = tuple(sorted(reasons.keys() - names))
    if alone not in forms:
        forms[alone] = Form(names + alone)
    form = forms[alone]
    return cells_of(form, values + [None] * len(alone), [reasons.get(name) for name in form.names])
