"""Columns of the tables: those of every window, and one for each metric, added when it first has a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from asyncpg import Connection

from stream_app.infra.history.database import lock
from stream_app.wire.update import Value

#: Columns of every window, and their types.
KEYS: Final = {
    "asset_id": "text",
    "size": "text",
    "start": "timestamptz",
    "partition": "integer",
    "seq": "bigint",
    "final": "boolean",
    "reasons_id": "bigint",
}
NUMBER: Final = "double precision"
LIST: Final = "double precision[]"
TABLES: Final = ("windows", "latest")
_LISTED: Final = {"double precision": NUMBER, "ARRAY": LIST}


async def read_columns(connection: Connection) -> dict[str, str]:
    """Type of each metric's column."""
    rows = await connection.fetch(
        "select column_name, data_type from information_schema.columns where table_name = 'windows' "
        "and table_schema = current_schema() order by ordinal_position"
    )
    return {
        row["column_name"]: _LISTED.get(row["data_type"], row["data_type"])
        for row in rows
        if row["column_name"] not in KEYS
    }


def new_columns(known: Mapping[str, str], names: Sequence[str], values: Iterable[Sequence[Value]]) -> dict[str, str]:
    """Type of each column that these values need and that is not there; a metric that is always null needs none."""
    unknown = [i for i, name in enumerate(names) if name not in known]
    if not unknown:
        return {}
    found: dict[str, str] = {}
    pick, nulls = itemgetter(unknown[0], *unknown), (None,) * (len(unknown) + 1)
    for row in values:
        if pick(row) != nulls:  # seldom: each row is looked at as a whole
            for i in unknown:
                if row[i] is not None:
                    found.setdefault(names[i], LIST if isinstance(row[i], list) else NUMBER)
    return found


async def add_columns(connection: Connection, columns: Mapping[str, str]) -> None:
    """Add columns to both tables, in a transaction of its own."""
    async with connection.transaction():
        await lock(connection)
        for table in TABLES:
            added = ", ".join(f'add column if not exists "{name}" {kind}' for name, kind in columns.items())
            await connection.execute(f"alter table {table} {added}")


def incoming_statement(metrics: Mapping[str, str]) -> str:
    """Statement that makes the table which a batch is copied into."""
    columns = {**KEYS, **metrics, "in_windows": "boolean", "in_latest": "boolean"}
    return f"create temp table incoming ({', '.join(f'{quoted(name)} {kind}' for name, kind in columns.items())})"


def merge_statements(metrics: Mapping[str, str]) -> tuple[str, str]:
    """Statements that merge the incoming rows into ``windows`` and ``latest``."""
    names = [quoted(name) for name in (*KEYS, *metrics)]
    listed = ", ".join(names)
    windows = _merge("windows", listed, names, ("asset_id", "size", "start"), "excluded.seq > windows.seq")
    newer = "excluded.seq > latest.seq or (excluded.seq = latest.seq and excluded.start > latest.start)"
    return windows, _merge("latest", listed, names, ("asset_id", "size"), newer)


def _merge(table: str, listed: str, names: Sequence[str], key: Sequence[str], newer: str) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name.strip('"') not in key)
    return (
        f"insert into {table} ({listed}) select {listed} from incoming where in_{table} "  # noqa: S608  # no input
        f"on conflict ({', '.join(key)}) do update set {changed} where {newer}"
    )


def quoted(name: str) -> str:
    """Quote a column's name; it has no quotation marks, as :func:`stream_app.wire.update.require_names` has checked."""
    return f'"{name}"'
