"""What the numbers of a stored state are: every section by name, so that another release finds what it knows.

A marker entry per partition lists the layouts in use by their hash, which every stored value names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.durations import HISTORY
from stream_app.domain.lines import Integers

HASH_BYTES = 8

#: Names of the numbers of each section.
SectionNames = Mapping[str, Sequence[str]]
#: Sections by hash.
Layouts = Mapping[str, SectionNames]


class Section:
    """One kind of numbers: ``name``, or ``name#width`` where a name has several."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.at: dict[str, slice] = {}
        self.width = 0
        for name in names:
            _, mark, width = name.rpartition("#")
            stop = self.width + (int(width) if mark else 1)
            self.at[name] = slice(self.width, stop)
            self.width = stop

    def keys(self) -> tuple[str, ...]:
        """Names without their widths."""
        return tuple(name.rpartition("#")[0] or name for name in self.names)

    def take(self, stored: Section, numbers: NDArray, blank: NDArray) -> NDArray:  # type: ignore[type-arg]  # of both kinds
        """Bring stored numbers ``(…, stored width)`` into this section; what is new is as in ``blank`` ``(width,)``."""
        if stored.names == self.names:
            return numbers
        taken = np.broadcast_to(blank, (*numbers.shape[:-1], self.width)).copy()
        for name, at in self.at.items():
            if name in stored.at:
                taken[..., at] = numbers[..., stored.at[name]]
        return taken


class StoredLayout:
    """The sections of a stored state.

    Parameters
    ----------
    sections
        Names of the numbers of each section.
    """

    def __init__(self, sections: SectionNames) -> None:
        self.sections = sections
        #: Of an asset: its whole numbers, and those of each of its levels.
        self.integers, self.level = Section(sections["integers"]), Section(sections["level"])
        #: Totals of its lifetime and of each level's open window; and of a closed window.
        self.pane = Section(sections["pane"])
        #: Readings carried from row to row, the history of steps, the sequential states (each with a tail).
        self.carry, self.history = Section(sections["carry"]), Section(sections["history"])
        self.sequential = Section(sections["sequential"])
        text = json.dumps(sections, sort_keys=True, separators=(",", ":"))
        self.hash = hashlib.sha256(text.encode()).digest()[:HASH_BYTES]
        self._others: dict[bytes, StoredLayout] = {}  # those that were found, by hash
        #: Whatever may be late in a state.
        self.keys = frozenset((*self.pane.keys(), *self.sequential.keys()))

    @classmethod
    @lru_cache(maxsize=16)  # a look-up begins with it
    def of(cls, catalogue: Catalogue) -> StoredLayout:
        """Layout of what a catalogue needs."""
        return cls(
            {
                "integers": Integers.NAMES,
                "level": Integers.LEVEL_NAMES,
                "pane": catalogue.layout.names,
                "carry": [f"{column}/{among}" for column, among in catalogue.carried],
                "history": [f"{name}#{width}" for name, width in HISTORY],
                "sequential": [f"{state.key()}#{state.width}" for state in catalogue.sequential_states],
            }
        )

    def found(self, layout: bytes, layouts: Layouts) -> StoredLayout:
        """Layout with a hash: this one, or one of those that the partition's marker lists."""
        if layout == self.hash:
            return self
        if layout.hex() not in layouts:
            msg = f"its partition's marker does not list layout {layout.hex()}"
            raise LookupError(msg)
        sections = layouts[layout.hex()]
        if layout in self._others:
            return self._others[layout]
        other = StoredLayout(sections)
        if other.hash == layout:
            self._others[layout] = other  # there are few, and what has this hash is always this
        return other
