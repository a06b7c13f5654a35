"""CSV files to blocks of rows.

How a file is written is decided once, from its header. Rows that are written plainly are then read by compiled code; a
block that holds anything else, a fault above all, is read cell by cell.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from stream_app.infra.files.block import BLOCK_ROWS, Block
from stream_app.infra.files.csv_header import EXPECTED, Layout, read_layout
from stream_app.infra.files.csv_table import CellTable
from stream_app.infra.files.plain_table import PlainTable, Text
from stream_app.infra.files.text import lines_of
from stream_app.usecases.errors import InvalidError


def read_csv(portions: Iterable[bytes]) -> Iterator[Block]:
    """Read a CSV table, from portions of whole lines, into blocks.

    Raises
    ------
    InvalidError
        At the first fault: ``row`` counts the rows from 1, the header is 0; the message names the line too.
    """
    table: _Table | None = None
    rest = b""
    line = 0  # lines before the header, and it
    for portion in portions:
        rest += portion
        while table is None and rest:
            title, _, rest = rest.partition(b"\n")
            line += 1
            if title.strip(b" \t\r,;"):
                table = _Table(read_layout(title.decode(), line), line)
        if table is not None:
            rest = yield from table.blocks(rest, last=False)
    if table is None:
        raise InvalidError("no_header", f"the file is empty: send a header such as {EXPECTED}, and rows below it")
    yield from table.blocks(rest, last=True)
    if table.rows == 0:
        raise InvalidError("no_rows", "the file has a header and no rows: send at least one row")


class _Table:
    """Reads lines below a header, and counts them.

    Parameters
    ----------
    line
        Number of the header's line.
    """

    def __init__(self, layout: Layout, line: int) -> None:
        self._plain, self._cells = PlainTable(layout), CellTable(layout)
        self._line = line
        self.rows = 0

    def blocks(self, lines: bytes, *, last: bool) -> Generator[Block, None, bytes]:
        """Read lines; returns those at their end that are too few for a block, unless they are the ``last`` ones."""
        text, at = Text(lines), 0
        while at < text.end:
            scanned = self._plain.block(text, at)
            if scanned.lines < BLOCK_ROWS and not last:
                break
            block = self._checked(lines[at : scanned.at]) if scanned.block is None else scanned.block
            at = scanned.at
            self._line += scanned.lines
            self.rows += len(block)
            if len(block):
                yield block
        return lines[at:]

    def _checked(self, lines: bytes) -> Block:
        return self._cells.block(lines_of(lines), self._line, self.rows)
