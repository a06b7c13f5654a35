"""The times of a file's rows, each asset's apart, looked at as they come and in bounded memory."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

import numpy as np

from schemas.file import FileSpec
from stream_app.columns.arrays import IntArray
from stream_app.infra.files.block import Block, Owners
from stream_app.infra.files.coverage import Coverage
from stream_app.infra.files.order import YEAR_US

#: Owner of rows that name no asset.
NOBODY: Final = ""
#: Assets whose coverage is measured.
_COVERED_ASSETS: Final = 20


class Timeline:
    """Tells whether each asset's rows ascend without a leap of a year, which a clock that was not set may have made."""

    def __init__(self, spec: FileSpec) -> None:
        self._spec = spec
        self.in_order = True
        self.rows: dict[str, int] = {}  # by asset
        self.coverage: dict[str, Coverage] = {}
        self.first_of_nobody = 0  # number of a row
        self._last_us: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._all_in_order = True  # whoever owns the rows
        self._of_all: Coverage | None = None  # while they are of one asset and of nobody
        self._last_of_all_us = 0
        self.first_us = 0

    @property
    def assets(self) -> list[str]:
        """That rows name, in the order in which they come first."""
        return [name for name in self.rows if name != NOBODY]

    def owners(self, owners: Owners) -> IntArray:
        """Number of each row's asset, shape ``(n,)``."""
        of_name = [self._names.setdefault(name, len(self._names)) for name in owners.names]
        return np.array(of_name, np.int64)[owners.of_row]

    def cover(self, times_us: IntArray, owner: IntArray | None) -> None:
        """Measure the coverage again, by rows that were not in order; ``owner`` as :meth:`owners` numbers them."""
        self.coverage = {}
        for name, code in self._names.items() if owner is not None else ((NOBODY, 0),):
            mine = times_us if owner is None else times_us[owner == code]
            if len(mine) and len(self.coverage) < _COVERED_ASSETS:
                self.coverage[name] = Coverage(self._spec)
                self.coverage[name].add(np.sort(mine))

    def add(self, block: Block) -> None:
        """Take more rows, in the file's order."""
        times_us = block.time_us
        if not self._last_of_all_us:
            self.first_us = self._last_of_all_us = int(times_us[0])
        self._all_in_order = self._all_in_order and _ascends(times_us, self._last_of_all_us)
        self._last_of_all_us = int(times_us[-1])
        names = {NOBODY} if block.owners is None else set(block.owners.names)
        self._add_to_all(names, times_us)
        if block.owners is None or len(block.owners.names) == 1:
            name = NOBODY if block.owners is None else block.owners.names[0]
            self._add_asset(name, times_us, block.numbers)
            return
        of_row = block.owners.of_row
        by_asset = np.split(np.argsort(of_row, kind="stable"), np.cumsum(np.bincount(of_row))[:-1])
        for name, rows in zip(block.owners.names, by_asset, strict=False):
            if len(rows):
                self._add_asset(name, times_us[rows], block.numbers[rows])

    def take_nobodys_rows(self) -> None:
        """Judge the rows that name no asset in a file with one asset: they are its rows, in the file's order."""
        if NOBODY not in self.rows or len(self.rows) == 1:
            return
        if not self._all_in_order:
            self.in_order = False
        elif self._of_all is not None:
            self.coverage = dict.fromkeys(self.assets, self._of_all)

    def _add_to_all(self, names: set[str], times_us: IntArray) -> None:
        """Cover the rows of the only asset and those that name none together, from where there are both."""
        before = self.rows.keys()
        if NOBODY not in names | before or len(names | before) != 2:
            self._of_all = None
            return
        if len(before) < 2:
            self._of_all = deepcopy(self.coverage[next(iter(before))]) if before else Coverage(self._spec)
        if self._of_all is not None and self._all_in_order:
            self._of_all.add(times_us)

    def _add_asset(self, name: str, times_us: IntArray, numbers: IntArray) -> None:
        self.rows[name] = self.rows.get(name, 0) + len(times_us)
        if name == NOBODY:
            self.first_of_nobody = self.first_of_nobody or int(numbers[0])
        self.in_order = self.in_order and _ascends(times_us, self._last_us.get(name, int(times_us[0])))
        self._last_us[name] = int(times_us[-1])
        if name not in self.coverage and len(self.coverage) < _COVERED_ASSETS:
            self.coverage[name] = Coverage(self._spec)
        if self.in_order and name in self.coverage:
            self.coverage[name].add(times_us)


def _ascends(times_us: IntArray, before_us: int) -> bool:
    """Whether times ascend, from the one before on, without a leap of a year."""
    if int(times_us[0]) < before_us or not (times_us[1:] >= times_us[:-1]).all():
        return False
    if int(times_us[-1]) - before_us <= YEAR_US:
        return True
    return bool(np.diff(times_us, prepend=before_us).max() <= YEAR_US)
