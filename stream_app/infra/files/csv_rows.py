"""CSV files to blocks of rows.

How a file is written is decided once, from its first lines. Rows that are written plainly are then read by compiled
code; a block that holds anything else is read cell by cell.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from stream_app.infra.files.block import BLOCK_ROWS, Block
from stream_app.infra.files.csv_records import records_of
from stream_app.infra.files.csv_scan import after_lines
from stream_app.infra.files.csv_table import CellTable
from stream_app.infra.files.dialect import Dialect
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.plain_table import PlainTable, Text
from stream_app.infra.files.stamps import Stamps
from stream_app.infra.files.text import lines_of


def read_csv(portions: Iterable[bytes], dialect: Dialect, stamps: Stamps, findings: Findings) -> Iterator[Block]:
    """Read a CSV table, from portions of whole lines, into blocks in the file's order.

    Raises
    ------
    InvalidError
        At the first fault, when the file is read strictly: ``row`` counts the rows from 1, the header is 0.
    """
    table = _Table(dialect, stamps, findings)
    rest, above, cut = b"", dialect.lines, False
    for portion in portions:
        cut = not portion.endswith(b"\n")
        rest += portion
        while above and rest:
            _, _, rest = rest.partition(b"\n")
            above -= 1
        if not above:
            rest = yield from table.blocks(rest, last=False)
    yield from table.blocks(rest if rest.endswith(b"\n") or not rest else rest + b"\n", last=True)
    table.cells.finish(cut=cut)


class _Table:
    """Reads lines below a header, and counts them."""

    def __init__(self, dialect: Dialect, stamps: Stamps, findings: Findings) -> None:
        layout = dialect.layout
        plain = stamps.plain and layout.dates is None and not layout.numbers.thousands and not layout.short_rows
        plain = plain and not layout.outflows and layout.state is None and not layout.numbers.no_value
        self._plain = PlainTable(layout, stamps) if plain else None
        self.cells = CellTable(layout, stamps, findings)
        self._separator, self._width, self._stamps = layout.separator, layout.width, stamps
        self._line = dialect.lines

    def blocks(self, lines: bytes, *, last: bool) -> Generator[Block, None, bytes]:
        """Read lines; returns those at their end that are too few for a block, unless they are the ``last`` ones."""
        text, at = Text(lines), 0
        while at < text.end:
            scanned = self._plain.block(text, at) if self._plain is not None else PlainTable.skipped(text, at)
            if scanned.lines < BLOCK_ROWS and not last:
                break
            block = scanned.block if scanned.block is None else self._stamps.local(scanned.block)
            if block is None:
                written = lines_of(lines[at : scanned.at])
                records, count = records_of(written, self._separator, self._line, self._width, last=last)
                block = self.cells.block(records)
                at, _ = after_lines(text.buffer, at, text.end, count)
                self._line += count
            else:
                block.number(self.cells.went_well(len(block)))
                at = scanned.at
                self._line += scanned.lines
            if len(block):
                yield block
        return lines[at:]
