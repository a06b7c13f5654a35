"""Columns of the tables: those of every window, and one for each metric, added when it first has a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from asyncpg import Connection

from stream_app.infra.history.database import lock
from stream_app.usecases.history_ports import RowsRefusedError
from stream_app.wire.update_cells import LIST, NUMBER, Form

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
DOUBLE: Final = "double precision"
DOUBLES: Final = "double precision[]"
TABLES: Final = ("windows", "latest")
_LISTED: Final = {"double precision": DOUBLE, "ARRAY": DOUBLES}


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


def new_columns(known: Mapping[str, str], form: Form, kinds: bytes) -> dict[str, str]:
    """Type of each column that updates of a form need and that is not there; a metric that is always null needs none.

    Parameters
    ----------
    kinds
        What they hold, of one update after the other.

    Raises
    ------
    RowsRefusedError
        A metric is a number here and a list there.
    """
    if not form.names:
        return {}
    held = np.frombuffer(kinds, np.uint8).reshape(-1, len(form.names))
    numbers, lists = (held == NUMBER).any(axis=0), (held == LIST).any(axis=0)
    found: dict[str, str] = {}
    for name, is_number, is_list in zip(form.names, numbers.tolist(), lists.tolist(), strict=True):
        if not (is_number or is_list):
            continue
        kind = known.get(name)
        if kind is None:
            kind = found[name] = DOUBLES if is_list else DOUBLE
        if (is_number and kind == DOUBLES) or (is_list and kind == DOUBLE):
            msg = f"the value of {name} is a list in some updates and a number in others"
            raise RowsRefusedError(msg)
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


async def add_incoming(connection: Connection, names: Iterable[str]) -> None:
    """Give the table that a batch is copied into columns for metrics that never had a value."""
    added = ", ".join(f"add column if not exists {quoted(name)} {DOUBLE}" for name in names)
    if added:
        await connection.execute(f"alter table incoming {added}")


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
