"""Stored states and windows of one layout, many at once: numbers are copied as they stand in the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from struct import unpack_from

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.domain.lines import LEVELS, Integers
from stream_app.domain.state import Fleet
from stream_app.domain.stored_about import PLAIN_END, About, begun, ending, of_window, read_about
from stream_app.domain.stored_copy import (
    HEAD_BYTES,
    LAYOUT_AT,
    LENGTH_AT,
    bytes_of,
    read_states,
    shapes,
    write_states,
    write_windows,
)
from stream_app.domain.stored_layout import StoredLayout
from stream_app.domain.value_reader import LENGTH
from stream_app.domain.views import Windows


@dataclass(frozen=True, slots=True)
class Copied:
    """A stored value whose numbers, from ``at`` on, are copied: its levels, waiting rows and columns as bits."""

    index: int
    at: int
    about: About
    shape: tuple[int, int, int]


class StoredBlock:
    """Writes a fleet's states and closed windows; reads states that have the fleet's own layout.

    Parameters
    ----------
    format_, layout
        What the values begin with.
    """

    def __init__(self, fleet: Fleet, format_: int, layout: StoredLayout) -> None:
        self._fleet, self._layout = fleet, layout
        self._begin = format_, np.frombuffer(layout.hash, np.uint8)
        self._pane, self._rest = fleet.catalogue.layout.width, fleet.floats.rest
        self._sizes_us = tuple(size * 1_000_000 for size in fleet.default_sizes_s)

    def dump(self, slots: IntArray) -> list[bytes]:
        """State of each of the assets."""
        fleet, n = self._fleet, len(slots)
        integers, floats, pending, stacks = fleet.integers, fleet.floats, fleet.pending.view(), fleet.stacks.view()
        shape = np.empty((n, 3), np.int64)
        size = shapes(slots, integers.array, (self._pane, self._rest), pending, fleet.stacks.lengths, shape)
        ids = slots.tolist()
        spec_json, own_sizes, columns = fleet.spec_json, fleet.own_sizes, fleet.catalogue.columns
        before = [
            begun(spec_json[slot], *numbers, slot in own_sizes, columns)
            for slot, numbers in zip(ids, shape.tolist(), strict=True)
        ]
        behind = [PLAIN_END] * n
        if fleet.ended or fleet.since:
            behind = [ending(fleet.ended.get(slot), fleet.since.get(slot)) for slot in ids]
        texts = *_joined(before), *_joined(behind)
        out, ends = np.empty(size + len(texts[0]) + len(texts[2]), np.uint8), np.empty(n, np.int64)
        write_states(
            slots,
            self._begin,
            texts,
            shape,
            integers.applied_offset[slots],
            (bytes_of(integers.array), bytes_of(floats.array)),
            (integers.WIDTH, len(floats.blank), self._pane, self._rest),
            pending,
            stacks,
            out,
            ends,
        )
        return _cut(out, ends)

    def dump_windows(self, windows: Windows, index: IntArray) -> list[bytes]:
        """Closed windows at the given positions, each with the spec that was in force."""
        texts = [of_window(windows.spec_json[i], windows.since.get(i)) for i in index.tolist()]
        totals, text = np.ascontiguousarray(windows.totals), _joined(texts)
        pane, n = totals.shape[1], len(index)
        out, ends = np.empty(n * (HEAD_BYTES + 8 * pane) + len(text[0]), np.uint8), np.empty(n, np.int64)
        write_windows(
            np.ascontiguousarray(index), self._begin, text, windows.seq[index], bytes_of(totals), pane, out, ends
        )
        return _cut(out, ends)

    def found(self, i: int, value: bytes) -> Copied | None:
        """What a value tells if its numbers can be copied as they stand: of this layout, whole, of the sizes kept."""
        fleet = self._fleet
        if len(value) < HEAD_BYTES or value[LAYOUT_AT:LENGTH_AT] != self._layout.hash:
            return None
        at = HEAD_BYTES + LENGTH.unpack_from(value, LENGTH_AT)[0]
        about = read_about(value[HEAD_BYTES:at])
        levels, waiting, tails = about.levels, about.waiting, about.tails
        measured = _bits(about.columns, fleet.catalogue.columns)
        if measured is None or len(tails) != fleet.stacks.lengths.shape[1] or min(levels, waiting, *tails) < 0:
            return None
        count = Integers.used(levels) + (1 + levels) * self._pane + self._rest
        count += waiting * (2 + len(about.columns)) + sum(tails)
        if levels > LEVELS or len(value) != at + 8 * count:
            return None
        if fleet.default_sizes_s and not about.own_sizes:
            of_levels = unpack_from(f"<{2 * levels}q", value, at + 8 * len(Integers.NAMES))
            if of_levels[1::2] != self._sizes_us:
                return None
        return Copied(i, at, about, (levels, waiting, measured))

    def load(self, slots: IntArray, values: Sequence[bytes], copied: Sequence[Copied]) -> None:
        """Put assets whose numbers are copied as they stand."""
        if not copied:
            return
        fleet = self._fleet
        integers, floats = fleet.integers, fleet.floats
        index = np.array([one.index for one in copied], np.int64)
        parts = [values[one.index] for one in copied]
        sizes = np.array([len(part) for part in parts], np.int64)
        begins = np.cumsum(sizes) - sizes + np.array([one.at for one in copied], np.int64)
        shape = np.array([one.shape for one in copied], np.int64)
        tails = np.array([one.about.tails for one in copied], np.int64)
        fleet.widen(int(shape[:, 0].max()))
        fleet.pending.reserve(2 * int(shape[:, 1].sum()) + len(copied))
        fleet.stacks.reserve(2 * int(tails.sum()) + len(copied))
        read_states(
            np.frombuffer(b"".join(parts), np.uint8),
            begins,
            slots[index],
            shape,
            tails,
            (bytes_of(integers.array), bytes_of(floats.array)),
            (bytes_of(integers.blank), bytes_of(floats.blank)),
            (integers.WIDTH, len(floats.blank), self._pane, self._rest),
            fleet.pending.view(),
            fleet.stacks.view(),
        )


@lru_cache(maxsize=1 << 12)  # assets measure few sets of columns
def _bits(stored: tuple[str, ...], columns: tuple[str, ...]) -> int | None:
    """Which of the columns are stored; None if others are, or in another order."""
    measured = sum(1 << i for i, name in enumerate(columns) if name in stored)
    return measured if stored == tuple(name for name in columns if name in stored) else None


def _joined(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], IntArray]:
    """All texts together, and their lengths."""
    return np.frombuffer(b"".join(texts), np.uint8), np.fromiter(map(len, texts), np.int64, len(texts))


def _cut(out: NDArray[np.uint8], ends: IntArray) -> list[bytes]:
    """Values that stand one after the other."""
    view, stops = out.data, ends.tolist()
    return [bytes(view[begin:end]) for begin, end in pairwise([0, *stops])]
