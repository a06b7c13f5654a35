"""A file of measurements as every command and every upload reads it.

The whole file is looked at first: how it is written, which rows cannot be read, whether they are in order. Then its
rows come in blocks: those of a small file from memory, those of a large one are read again. A file in order is
streamed; another one is sorted in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from schemas.columns import BY_WIRE_NAME, REQUIRED
from schemas.file import FileSpec
from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.infra.files.block import BLOCK_ROWS, Block, Owners, joined
from stream_app.infra.files.containers import DAMAGES, damaged
from stream_app.infra.files.examination import Examination
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.holding import held
from stream_app.infra.files.order import Order, order_of, refuse_repeated_hour
from stream_app.infra.files.tables import Table, open_table
from stream_app.infra.files.text import FALLBACK, NotUtf8Error
from stream_app.infra.files.timeline import NOBODY, Timeline
from stream_app.usecases.errors import InvalidError

#: Rows that are kept from the first reading; those of a longer file are read again.
KEPT_ROWS: Final = 500_000


class MeasurementFile:
    """A file of measurements.

    Parameters
    ----------
    file
        Seekable.
    spec
        How to read it, where the file does not say.
    asset_id
        Asset of the rows that name none, in a file that names assets; of several, the one that is read.
    kept_rows
        Rows that may be kept from the first reading.
    """

    def __init__(
        self,
        file: BinaryIO,
        spec: FileSpec | None = None,
        asset_id: str | None = None,
        *,
        kept_rows: int = KEPT_ROWS,
    ) -> None:
        self._file, self._spec, self._asset_id, self._kept_rows = file, spec or FileSpec(), asset_id, kept_rows
        self.findings = Findings()
        self.examination = Examination()
        self._table: Table | None = None
        self._kept: list[Block] | None = None
        self._order: Order | None = None  # of rows that are not in order
        self._left_out: IntArray = np.zeros(0, np.int64)
        self._not_read: frozenset[str] = frozenset()  # assets
        self._timeline: Timeline | None = None
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

    @property
    def timeline(self) -> Timeline:
        """Times of the rows, once they have been checked."""
        if self._timeline is None:
            msg = "check the file first"
            raise RuntimeError(msg)
        return self._timeline

    def check(self) -> Findings:
        """Read the whole file.

        Raises
        ------
        InvalidError
            The file is not a table of measurements, or too much of it cannot be read.
        """
        self.examine()
        self.findings.require_rows(allow_rejected=self._spec.allow_rejected)
        return self.findings

    def examine(self) -> Findings:
        """Read the whole file, and only tell if rows are left out."""
        try:
            self._check()
        except DAMAGES as error:
            raise damaged(error) from None
        return self.findings

    def blocks(self) -> Iterator[Block]:
        """The rows, each asset's in time order."""
        if self._table is None:
            self.check()
        order, blocks = self._order, self._again()
        in_order = order is None or order.sorted
        if in_order and not self._hold:
            yield from map(self._completed, blocks)
            return
        every = list(blocks)
        if not every:
            return
        whole = joined(every)
        if order is not None and not in_order:
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
        before = dict(self.__dict__)
        self._restart(self._spec.model_copy(update={"day_first": day_first}))
        self._read_all()
        if self.findings.left_out < before["findings"].left_out:
            self.findings.note(f"dates have the {'day' if day_first else 'month'} first, as some rows show")
        else:
            self.__dict__.update(before)

    def _read_all(self) -> None:
        findings = self.findings
        findings.strict = self._spec.strict
        self._table = table = open_table(self._file, self._spec, findings)
        self._timeline = timeline = Timeline(self._spec)
        self._order, self._left_out, self._not_read = None, np.zeros(0, np.int64), frozenset()
        self.examination.flipped = table.layout.flipped
        kept: list[Block] | None = []
        for block in table.read(findings):
            timeline.add(block)
            self.examination.add(block, self._spec)
            if kept is not None:
                kept.append(block)
                kept = kept if findings.rows <= self._kept_rows else None
        self._kept = kept
        self.assets, self.first_us = timeline.assets, timeline.first_us
        self._decide_owners(timeline)
        if not timeline.in_order:
            self._look_at_order(timeline, naive=table.naive)
        self._decide_to_hold(table)
        several = len(self.assets) > 1
        for name, coverage in timeline.coverage.items():
            if name not in self._not_read and (gaps := coverage.warning()) is not None:
                findings.warn(f"asset {name!r}: {gaps}" if several else gaps)
        findings.warnings += [text for text in self.examination.warnings(self._spec) if text not in findings.warnings]

    def _decide_owners(self, timeline: Timeline) -> None:
        """Whose rows are read, and whose those are that name no asset."""
        assets, unnamed = self.assets, timeline.rows.get(NOBODY, 0)
        if len(assets) > 1 and self._asset_id is not None:
            self._read_one_asset(timeline)
        elif assets and unnamed:
            if self._asset_id is None and len(assets) > 1:
                self._not_read = frozenset((NOBODY,))
                row = timeline.first_of_nobody
                detail = f"row {row} names no asset, and the file has several: name it, or leave the row out"
                self.findings.leave_out(InvalidError("no_asset", detail, row, "asset_id"), rows=unnamed)
                self.findings.rows -= unnamed
            elif self._asset_id is None:
                self._asset_id = assets[0]
                self.findings.note(f"{unnamed} rows name no asset: they are taken for {assets[0]!r}'s")
        timeline.take_nobodys_rows()

    def _read_one_asset(self, timeline: Timeline) -> None:
        """Of several assets, read the one that the user names."""
        wanted, others = self._asset_id, [name for name in self.assets if name != self._asset_id]
        if wanted not in self.assets:
            shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            detail = f"the file holds rows of {len(others)} assets ({shown}), and {wanted!r} is none of them: name one"
            raise InvalidError("no_asset", f"{detail}, or leave --asset out", None, "asset_id")
        self._not_read = frozenset(others)
        rows = sum(timeline.rows[name] for name in others)
        self.findings.rows -= rows
        self.findings.note(f"{rows} rows of other assets are not read (--asset {wanted})")

    def _look_at_order(self, timeline: Timeline, *, naive: bool) -> None:
        """Look at all times together: clocks that were not set, hours that come twice, rows to be sorted."""
        times, numbers, owners = [], [], []
        for block in self._again():
            times.append(block.time_us)
            numbers.append(block.numbers)
            if (named := self._named(block.owners)) is not None and self.assets:
                owners.append(timeline.owners(named))
        time_us, number, owner = np.concatenate(times), np.concatenate(numbers), None
        if owners:
            owner = np.concatenate(owners)
        if naive:
            refuse_repeated_hour(time_us, number, owner)
        self._order = order = order_of(time_us, owner)
        self._leave_out(order.odd, number, time_us)
        if not order.sorted:
            newest = "the newest row comes first" if order.descending else "the rows are not in time order"
            self.findings.note(f"{newest}: they are sorted")
        good = np.flatnonzero(~order.odd)
        self.first_us = int(time_us[good].min()) if len(good) else 0
        timeline.cover(time_us[good], None if owner is None else owner[good])

    def _leave_out(self, odd: BoolArray, number: IntArray, time_us: IntArray) -> None:
        """Leave out rows whose clock was not set."""
        rows = np.flatnonzero(odd)
        if len(rows):
            row, stamp = int(number[rows[0]]), np.datetime_as_string(time_us[rows[:1]].view("datetime64[us]"), "s")[0]
            detail = f"row {row}: its time {stamp}Z is far from those of the rows around it: was the clock not set?"
            self.findings.leave_out(InvalidError("implausible_time", detail, row, "timestamp"), rows=len(rows))
            self.findings.rows -= len(rows)
        self._left_out = number[rows]

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
            if self._not_read and block.owners is not None:
                read = np.array([name not in self._not_read for name in block.owners.names])
                if not read.all():
                    block = block.take(np.flatnonzero(read[block.owners.of_row]))  # noqa: PLW2901
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
        return Block(block.timestamps, block.time_us, columns, self._named(block.owners), block.numbers)

    def _named(self, owners: Owners | None) -> Owners | None:
        if owners is None or NOBODY not in owners.names or (self._asset_id is None and self.assets):
            return owners
        if self._asset_id is None:  # no row names an asset
            return None
        codes: dict[str, int] = {}
        of_name = [codes.setdefault(name or self._asset_id, len(codes)) for name in owners.names]
        return Owners(list(codes), np.array(of_name, np.int64)[owners.of_row])


def read_blocks(file: BinaryIO, asset_id: str | None = None, spec: FileSpec | None = None) -> Iterator[Block]:
    """Read a file of measurements; ``asset_id`` is the asset of the rows that name none.

    Raises
    ------
    InvalidError
        As :meth:`MeasurementFile.check` does, before the first block.
    """
    yield from MeasurementFile(file, spec, asset_id).blocks()
