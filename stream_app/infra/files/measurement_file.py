"""A file of measurements as every command and every upload reads it.

The whole file is looked at first: how it is written, which rows cannot be read, whether they are in order. Then its
rows come in blocks; a file in order is streamed, another one is sorted in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from schemas.columns import BY_WIRE_NAME, REQUIRED
from schemas.file import FileSpec
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.infra.files import coverage
from stream_app.infra.files.block import BLOCK_ROWS, Block, Owners
from stream_app.infra.files.examination import Examination
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.holding import held
from stream_app.infra.files.order import Order, order_of, refuse_repeated_hour
from stream_app.infra.files.tables import Table, open_table
from stream_app.infra.files.text import FALLBACK, NotUtf8Error
from stream_app.usecases.errors import InvalidError

#: Rows that are kept from the first reading; those of a longer file are read again.
_KEPT_ROWS: Final = 500_000
_NOBODY: Final = ""


class MeasurementFile:
    """A file of measurements.

    Parameters
    ----------
    file
        Seekable.
    spec
        How to read it, where the file does not say.
    asset_id
        Asset of the rows that name none, in a file that names assets.
    """

    def __init__(self, file: BinaryIO, spec: FileSpec | None = None, asset_id: str | None = None) -> None:
        self._file, self._spec, self._asset_id = file, spec or FileSpec(), asset_id
        self.findings = Findings()
        self.examination = Examination()
        self._table: Table | None = None
        self._kept: list[Block] | None = None
        self._order: Order | None = None
        self._left_out: IntArray = np.zeros(0, np.int64)
        self._hold = False
        self.assets: list[str] = []  # that the file names
        self.first_us = 0  # time of the first row that counts

    @property
    def table(self) -> Table:
        """How the file is written, once it has been checked."""
        if self._table is None:
            msg = "check the file first"
            raise RuntimeError(msg)
        return self._table

    def check(self) -> Findings:
        """Read the whole file.

        Raises
        ------
        InvalidError
            The file is not a table of measurements, or too much of it cannot be read.
        """
        self._check()
        self.findings.require_rows(allow_rejected=self._spec.allow_rejected)
        return self.findings

    def examine(self) -> Findings:
        """Read the whole file, and only tell if rows are left out."""
        self._check()
        return self.findings

    def blocks(self) -> Iterator[Block]:
        """The rows, each asset's in time order."""
        if self._order is None:
            self.check()
        order, blocks = self._order, self._again()
        if order is None or (order.sorted and not self._hold):
            yield from map(self._completed, blocks)
            return
        whole = _joined(list(blocks))
        if not order.sorted:
            rows = np.arange(len(whole))[:: -1 if order.descending else 1]
            whole = whole.take(rows[np.argsort(whole.time_us[rows], kind="stable")])
        if self._hold:
            whole = held(whole)
        whole = self._completed(whole)
        for start in range(0, len(whole), BLOCK_ROWS):
            yield whole.take(np.arange(start, min(start + BLOCK_ROWS, len(whole))))

    def _check(self) -> None:
        try:
            self._read_all()
        except NotUtf8Error:
            self._restart(self._spec.model_copy(update={"encoding": FALLBACK}))
            self.findings.note(f"the text is not UTF-8: it is read as {FALLBACK} (--encoding names another)")
            self._read_all()
        stamps = self.table.stamps
        first = self.findings.first
        if (
            first is not None
            and first.code == "bad_timestamp"
            and stamps.kind == "text"
            and self._spec.day_first is None
        ):
            self._try_other_day_order(day_first=not stamps.day_first)

    def _restart(self, spec: FileSpec) -> None:
        self._spec = spec
        self.findings, self.examination, self._kept, self.assets = Findings(), Examination(), None, []

    def _try_other_day_order(self, *, day_first: bool) -> None:
        """Read the file again with dates in the other order: a later row may show that the first guess was wrong."""
        before = (self._spec, self.findings, self.examination, self._kept, self.assets, self._table)
        order, left_out = self._order, self._left_out
        self._restart(self._spec.model_copy(update={"day_first": day_first}))
        self._read_all()
        if self.findings.left_out < before[1].left_out:
            self.findings.note(f"dates have the {'day' if day_first else 'month'} first, as some rows show")
        else:
            self._spec, self.findings, self.examination, self._kept, self.assets, self._table = before
            self._order, self._left_out = order, left_out

    def _read_all(self) -> None:
        findings = self.findings
        findings.strict = self._spec.strict
        self._table = table = open_table(self._file, self._spec, findings)
        kept: list[Block] | None = []
        times: list[IntArray] = []
        numbers: list[IntArray] = []
        owners: list[IntArray] = []
        codes: dict[str, int] = {}
        for block in table.read(findings):
            times.append(block.time_us)
            numbers.append(block.numbers)
            if block.owners is not None:
                code = np.array([codes.setdefault(name, len(codes)) for name in block.owners.names], np.int64)
                owners.append(code[block.owners.of_row])
            self.examination.add(block, self._spec)
            if kept is not None:
                kept.append(block)
                kept = kept if findings.rows <= _KEPT_ROWS else None
        self._kept = kept
        if not times:
            return
        time_us, number, owner = np.concatenate(times), np.concatenate(numbers), None
        if owners:
            owner = np.concatenate(owners)
        self.assets = [name for name in codes if name != _NOBODY]
        nobody = self._rows_of_nobody(codes, owner, number)
        if table.naive:
            refuse_repeated_hour(time_us, number, owner)
        self._order = order_of(time_us, owner)
        self._leave_out(order_odd=self._order.odd, nobody=nobody, number=number, time_us=time_us)
        good = time_us[~(self._order.odd | nobody)]
        self.first_us = int(good.min()) if len(good) else 0
        if not self._order.sorted:
            newest = "the newest row comes first" if self._order.descending else "the rows are not in time order"
            findings.note(f"{newest}: they are sorted")
        self._decide_to_hold(table)
        if len(self.assets) < 2 and (gaps := coverage.warning(np.sort(good), self._spec)) is not None:
            findings.warn(gaps)
        findings.warnings += [text for text in self.examination.warnings(self._spec) if text not in findings.warnings]

    def _rows_of_nobody(self, codes: dict[str, int], owner: IntArray | None, number: IntArray) -> BoolArray:
        """Rows that name no asset in a file that names several."""
        if owner is None or _NOBODY not in codes:
            return np.zeros(len(number), np.bool_)
        rows: BoolArray = owner == codes[_NOBODY]
        if self._asset_id is None and len(self.assets) == 1:
            self._asset_id = self.assets[0]
            self.findings.note(f"{int(rows.sum())} rows name no asset: they are taken for {self.assets[0]!r}'s")
        return rows if self._asset_id is None and self.assets else np.zeros(len(number), np.bool_)

    def _leave_out(self, *, order_odd: BoolArray, nobody: BoolArray, number: IntArray, time_us: IntArray) -> None:
        out = order_odd | nobody
        for i in np.flatnonzero(out).tolist():
            row = int(number[i])
            if nobody[i]:
                detail = f"row {row} names no asset, and the file has several: name it, or leave the row out"
                error = InvalidError("no_asset", detail, row, "asset_id")
            else:
                stamp = np.datetime_as_string(time_us[i : i + 1].view("datetime64[us]"), unit="s")[0]
                detail = f"row {row}: its time {stamp}Z is far from those of the rows around it: was the clock not set?"
                error = InvalidError("implausible_time", detail, row, "timestamp")
            self.findings.leave_out(error)
            self.findings.rows -= 1
        self._left_out = number[out]

    def _decide_to_hold(self, table: Table) -> None:
        in_turn = self.examination.in_turn
        self._hold = self._spec.hold if self._spec.hold is not None else in_turn or table.long
        if table.long:
            self.findings.note("each row holds one signal: they are put side by side by time")
        if self._hold and self._spec.hold is None:
            self.findings.note("signals come in turn: each reading holds until the next one (--no-hold for not)")

    def _again(self) -> Iterator[Block]:
        if self._kept is not None:
            blocks: Iterator[Block] = iter(self._kept)
        else:
            blocks = self.table.read(Findings())
        for block in blocks:
            if len(self._left_out):
                block = block.take(np.flatnonzero(~np.isin(block.numbers, self._left_out)))  # noqa: PLW2901
            if len(block):
                yield block

    def _completed(self, block: Block) -> Block:
        """The block with all columns that rows must name, and the assets that its rows are taken for."""
        columns = {
            name: block.columns[name] if name in block.columns else np.full(len(block), np.nan)
            for name in BY_WIRE_NAME
            if name in block.columns or name in REQUIRED
        }
        owners = block.owners
        if owners is not None and _NOBODY in owners.names:
            owners = self._named(owners)
        return Block(block.timestamps, block.time_us, columns, owners, block.numbers)

    def _named(self, owners: Owners) -> Owners | None:
        if self._asset_id is None:  # no row names an asset
            return None
        codes: dict[str, int] = {}
        of_name = [codes.setdefault(name or self._asset_id, len(codes)) for name in owners.names]
        return Owners(list(codes), np.array(of_name, np.int64)[owners.of_row])


def _joined(blocks: list[Block]) -> Block:
    codes: dict[str, int] = {}
    owners = None
    if any(block.owners is not None for block in blocks):
        parts = [
            np.array([codes.setdefault(name, len(codes)) for name in block.owners.names], np.int64)[block.owners.of_row]
            for block in blocks
            if block.owners is not None
        ]
        owners = Owners(list(codes), np.concatenate(parts))
    return Block(
        [stamp for block in blocks for stamp in block.timestamps],
        np.concatenate([block.time_us for block in blocks]),
        {name: np.concatenate([block.columns[name] for block in blocks]) for name in blocks[0].columns},
        owners,
        np.concatenate([block.numbers for block in blocks]),
    )


def read_blocks(file: BinaryIO, asset_id: str | None = None, spec: FileSpec | None = None) -> Iterator[Block]:
    """Read a file of measurements; ``asset_id`` is the asset of the rows that name none.

    Raises
    ------
    InvalidError
        As :meth:`MeasurementFile.check` does, before the first block.
    """
    yield from MeasurementFile(file, spec, asset_id).blocks()
