"""JSON lines (one row a line, as on the measurements topic) to blocks of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from stream_app.infra.files.block import BLOCK_ROWS, Block, owners_of
from stream_app.infra.files.text import lines_of
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.explain import parse, read_row
from stream_app.wire.decode.refusal import Refusal
from stream_app.wire.decode.row import Row, columns_of
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp, parse_timestamps


def read_jsonl(portions: Iterable[bytes], asset_id: str | None) -> Iterator[Block]:
    """Read rows, from portions of whole lines, into blocks; blank lines are left out.

    Parameters
    ----------
    asset_id
        Asset of the rows that do not name one.

    Raises
    ------
    InvalidError
        At the first bad row; ``row`` counts the rows from 1.
    """
    pending: list[Row] = []
    line = rows = 0
    for portion in portions:
        for text in lines_of(portion):
            line += 1
            if not text.strip():
                continue
            rows += 1
            pending.append(checked_row(_content(text, asset_id, rows, line), rows, f"row {rows} (line {line})"))
            if len(pending) == BLOCK_ROWS:
                yield block_of(pending)
                pending = []
    if pending:
        yield block_of(pending)
    if rows == 0:
        raise InvalidError("no_rows", "the file is empty: send one JSON row per line, or a CSV table")


def checked_row(content: object, row: int, place: str) -> Row:
    """Read a row and check all of it; an InvalidError names the given ``row`` and ``place``."""
    try:
        read = read_row(content)
        parse_timestamp(read.timestamp)
    except Refusal as refusal:
        raise InvalidError(refusal.code, f"{place}: {refusal.reason}", row, refusal.column) from None
    except TimestampError as error:
        raise InvalidError("bad_timestamp", f"{place}, column timestamp: {error}", row, "timestamp") from None
    return read


def block_of(rows: Sequence[Row]) -> Block:
    """Rows as columns."""
    columns = {name: np.array(values, np.float64) for name, values in columns_of(rows).items()}
    stamps = [row.timestamp for row in rows]
    time_us, _ = parse_timestamps(stamps)  # each has been checked
    return Block(stamps, time_us, columns, owners_of([row.asset_id for row in rows]))


def _content(text: str, asset_id: str | None, row: int, line: int) -> object:
    try:
        content = parse(text.encode())
    except Refusal as refusal:
        raise InvalidError(refusal.code, f"row {row} (line {line}): {refusal.reason}", row) from None
    if isinstance(content, dict) and asset_id is not None:
        content.setdefault("asset_id", asset_id)
    return content
