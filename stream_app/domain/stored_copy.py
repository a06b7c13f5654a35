"""States of many assets copied between a fleet's arrays and bytes, in one pass each way.

Numbers are stored as they stand in memory: all machines for which numba compiles are little-endian. What goes before
them, format, offset, layout and length, has its high byte first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.columns.memory_copy import copy_bytes
from stream_app.columns.ragged import placed
from stream_app.domain.lines import LEVEL_STRIDE, LEVELS, OPEN_NUMBER, SIZE_US

Bytes = NDArray[np.uint8]

#: Format and offset, hash of the layout, length of the JSON; where two of them stand.
HEAD_BYTES: Final = 21
LAYOUT_AT: Final = 9
LENGTH_AT: Final = 17
#: Digits of the longest length of a tail, and a comma.
_LENGTH_DIGITS: Final = 20


def bytes_of(numbers: NDArray[Any]) -> Bytes:
    """Contiguous numbers as bytes, a view."""
    return numbers.reshape(-1).view(np.uint8)


@compiled
def shapes(
    slots: IntArray,
    integers: IntArray,
    widths: tuple[int, int],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    tails: IntArray,
    out: IntArray,
) -> int:
    """Of each asset its levels, waiting rows and measured columns (as bits), ``(n, 3)``; bytes that hold all states.

    The texts that stand before and behind the lengths of the tails are not counted.
    """
    pane, rest = widths
    start, count, values = waiting[0], waiting[1], waiting[6]
    size = 0
    for i in range(len(slots)):
        slot = slots[i]
        levels = 0
        for level in range(LEVELS):
            levels += integers[slot, SIZE_US + LEVEL_STRIDE * level] != 0
        bits, columns = 0, 0
        for x in range(values.shape[1]):
            for row in range(start[slot], start[slot] + count[slot]):
                if not np.isnan(values[row, x]):
                    bits |= 1 << x
                    columns += 1
                    break
        out[i, 0], out[i, 1], out[i, 2] = levels, count[slot], bits
        numbers = OPEN_NUMBER + levels * LEVEL_STRIDE + (1 + levels) * pane + rest + count[slot] * (2 + columns)
        size += HEAD_BYTES + 8 * (numbers + tails[slot].sum()) + _LENGTH_DIGITS * tails.shape[1]
    return size


@compiled
def _put_number(out: Bytes, at: int, size: int, number: int) -> None:
    """Put a whole number, its high byte first."""
    for i in range(size):
        out[at + i] = (number >> (8 * (size - 1 - i))) & 0xFF


@compiled
def _put_head(out: Bytes, at: int, begin: tuple[int, Bytes], offset: int, length: int) -> None:
    """Put what all values begin with."""
    format_, layout = begin
    out[at] = format_
    _put_number(out, at + 1, 8, offset)
    copy_bytes(out, at + LAYOUT_AT, layout, 0, len(layout))
    _put_number(out, at + LENGTH_AT, 4, length)


@compiled
def _put_digits(out: Bytes, at: int, number: int) -> int:
    """Put a length as text; returns where it ends."""
    end = at + 1
    above = number // 10
    while above > 0:
        end += 1
        above //= 10
    for place in range(end - 1, at - 1, -1):
        out[place] = 48 + number % 10
        number //= 10
    return end


@compiled
def write_states(
    slots: IntArray,
    begin: tuple[int, Bytes],
    texts: tuple[Bytes, IntArray, Bytes, IntArray],
    shape: IntArray,
    offsets: IntArray,
    lines: tuple[Bytes, Bytes],
    widths: tuple[int, int, int, int],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray],
    out: Bytes,
    ends: IntArray,
) -> None:
    """Write states one after the other, and where each ends.

    Parameters
    ----------
    begin
        Format and hash of the layout.
    texts
        What stands before and behind the lengths of the tails: all texts of the assets together, and their lengths.
    shape
        As :func:`shapes` has found it.
    lines, widths
        Whole numbers and floats of the fleet; width of a line of each, of a pane, and of what stands before the totals.
        Stored, the totals come first.
    waiting, stacks
        The views of :class:`stream_app.domain.pending.PendingRows` and :class:`stream_app.domain.stacks.Stacks`.
    """
    before, before_sizes, behind, behind_sizes = texts
    integers, floats = lines
    integers_width, line, pane, rest = widths
    first_row, time_us, offset, values = waiting[0], waiting[4], waiting[5], waiting[6]
    first_number, numbers, lengths = stacks[0], stacks[4], stacks[5]
    at = before_at = behind_at = 0
    for i in range(len(slots)):
        slot, levels, rows, bits = slots[i], shape[i, 0], shape[i, 1], shape[i, 2]
        head, text = at, at + HEAD_BYTES
        copy_bytes(out, text, before, before_at, before_sizes[i])
        before_at += before_sizes[i]
        at = text + before_sizes[i]
        for k in range(lengths.shape[1]):
            if k:
                out[at] = 44  # a comma
                at += 1
            at = _put_digits(out, at, lengths[slot, k])
        copy_bytes(out, at, behind, behind_at, behind_sizes[i])
        behind_at += behind_sizes[i]
        at += behind_sizes[i]
        _put_head(out, head, begin, offsets[i], at - text)
        size = 8 * (OPEN_NUMBER + levels * LEVEL_STRIDE)
        copy_bytes(out, at, integers, 8 * integers_width * slot, size)
        at += size
        size = 8 * pane * (1 + levels)
        copy_bytes(out, at, floats, 8 * (line * slot + rest), size)
        at += size
        copy_bytes(out, at, floats, 8 * line * slot, 8 * rest)
        at += 8 * rest
        low = first_row[slot]
        copy_bytes(out, at, time_us.view(np.uint8), 8 * low, 8 * rows)
        copy_bytes(out, at + 8 * rows, offset.view(np.uint8), 8 * low, 8 * rows)
        at += 16 * rows
        columns = values.shape[1]
        flat = values.reshape(-1).view(np.uint8)
        for x in range(columns):
            if bits >> x & 1:
                for row in range(low, low + rows):
                    copy_bytes(out, at, flat, 8 * (row * columns + x), 8)
                    at += 8
        size = 8 * lengths[slot].sum()
        copy_bytes(out, at, numbers.view(np.uint8), 8 * first_number[slot], size)
        at += size
        ends[i] = at


@compiled
def write_windows(
    index: IntArray,
    begin: tuple[int, Bytes],
    texts: tuple[Bytes, IntArray],
    offsets: IntArray,
    totals: Bytes,
    pane: int,
    out: Bytes,
    ends: IntArray,
) -> None:
    """Write closed windows one after the other, and where each ends; the arguments are those of states."""
    text, sizes = texts
    at = text_at = 0
    for i in range(len(index)):
        _put_head(out, at, begin, offsets[i], sizes[i])
        copy_bytes(out, at + HEAD_BYTES, text, text_at, sizes[i])
        text_at += sizes[i]
        at += HEAD_BYTES + sizes[i]
        copy_bytes(out, at, totals, 8 * pane * index[i], 8 * pane)
        at += 8 * pane
        ends[i] = at


@compiled
def read_states(
    stored: Bytes,
    begins: IntArray,
    slots: IntArray,
    shape: IntArray,
    tails: IntArray,
    lines: tuple[Bytes, Bytes],
    blank: tuple[Bytes, Bytes],
    widths: tuple[int, int, int, int],
    waiting: tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, FloatArray],
    stacks: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray],
) -> None:
    """Read numbers of the fleet's own layout, which begin at ``begins`` of ``stored``, into slots of the fleet.

    Room for what waits and for what is on the stacks must be reserved. The other arguments are those of
    :func:`write_states`; ``blank`` are lines of a blank asset.
    """
    integers, floats = lines
    integers_width, line, pane, rest = widths
    row_start, row_count, row_room, row_used, time_us, offset, values = waiting
    start, count, room, used, numbers, lengths = stacks
    for i in range(len(slots)):
        at, slot, levels, rows, bits = begins[i], slots[i], shape[i, 0], shape[i, 1], shape[i, 2]
        size, width = 8 * (OPEN_NUMBER + levels * LEVEL_STRIDE), 8 * integers_width
        copy_bytes(integers, width * slot, stored, at, size)
        copy_bytes(integers, width * slot + size, blank[0], size, width - size)
        at += size
        size, width = 8 * pane * (1 + levels), 8 * line
        end = 8 * rest + size
        copy_bytes(floats, width * slot, stored, at + size, 8 * rest)
        copy_bytes(floats, width * slot + 8 * rest, stored, at, size)
        copy_bytes(floats, width * slot + end, blank[1], end, width - end)
        at += end
        low = placed(row_start, row_room, row_used, slot, rows)
        row_count[slot] = rows
        copy_bytes(time_us.view(np.uint8), 8 * low, stored, at, 8 * rows)
        copy_bytes(offset.view(np.uint8), 8 * low, stored, at + 8 * rows, 8 * rows)
        at += 16 * rows
        columns = values.shape[1]
        flat = values.reshape(-1).view(np.uint8)
        for x in range(columns):
            for row in range(low, low + rows):
                if bits >> x & 1:
                    copy_bytes(flat, 8 * (row * columns + x), stored, at, 8)
                    at += 8
                else:
                    values[row, x] = np.nan
        total = tails[i].sum()
        lengths[slot] = tails[i]
        low = placed(start, room, used, slot, total)
        count[slot] = total
        copy_bytes(numbers.view(np.uint8), 8 * low, stored, at, 8 * total)
