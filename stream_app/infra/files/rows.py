"""Files of either format to blocks of rows: the first character tells CSV from JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from stream_app.infra.files.block import Block
from stream_app.infra.files.csv_rows import read_csv
from stream_app.infra.files.jsonl_rows import read_jsonl
from stream_app.infra.files.text import lines_of, read_text


def read_blocks(file: BinaryIO, asset_id: str | None = None) -> Iterator[Block]:
    """Read a CSV or JSON lines file, all rows of it valid, in bounded memory.

    Parameters
    ----------
    asset_id
        Asset of the JSON rows that do not name one.

    Raises
    ------
    InvalidError
        At the first fault, with its row, line and column; the blocks before it have already been yielded.
    """
    portions = read_text(file)
    first = b""
    for first in portions:
        if any(map(str.strip, lines_of(first))):
            break
    start = next((line for line in map(str.strip, lines_of(first)) if line), "")
    portions = chain([first] if first else [], portions)
    return read_jsonl(portions, asset_id) if start.startswith(("{", "[")) else read_csv(portions)
