"""The text of a metrics update, put together by a compiled walk over windows and metrics.

What stands in an update, in this order: asset, window (a lifetime has no end), seq, final, and one or both of
``metrics`` and ``values``, as :mod:`stream_app.wire.encode.metric_text` writes them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import borrowing, compiled
from stream_app.columns.words import trailing_zeros, word_at
from stream_app.domain.reading import LIFETIME
from stream_app.domain.value_code import SEQ
from stream_app.wire.encode.json_columns import STAMP_BYTES, Texts, put_text, write_stamp
from stream_app.wire.encode.metric_text import (
    END,
    ENDED,
    FINAL,
    NO_END,
    OPEN,
    SEQ_NAME,
    nothing_before,
    put_metrics,
    put_numbers,
    put_values,
)

_COMMA, _CLOSING, _BRACE_ENDED = (ord(sign) for sign in ",]}")
_ONE: Final = np.uint64(1)
_LOW_BITS: Final = np.uint64(0x7F7F_7F7F_7F7F_7F7F)
_COMMAS: Final = np.uint64(int.from_bytes(b"," * 8, "little"))


class Heads(NamedTuple):
    """What is told of ``k`` windows before their metrics, each ``(k,)``.

    ``asset`` and ``size`` number texts of ``assets`` and ``sizes``, and the former whether they are final.
    """

    assets: Texts
    asset: IntArray
    is_final: BoolArray
    sizes: Texts
    size: IntArray
    size_us: IntArray
    start_us: IntArray

    def part(self, rows: slice) -> Heads:
        """Those of some windows."""
        some = (column[rows] for column in (self.size, self.size_us, self.start_us))
        return Heads(self.assets, self.asset[rows], self.is_final, self.sizes, *some)

    def most_bytes(self) -> int:
        """Room that is enough for all of them."""
        assets, sizes = self.assets.ends - self.assets.starts, self.sizes.ends - self.sizes.starts
        return int(assets[self.asset].sum() + len(self.size) * (sizes.max() + 2 * STAMP_BYTES))


@borrowing
def _find_edges(text: NDArray[np.uint8], at: int, edges: IntArray) -> int:
    """Find where the next numbers begin, and where the one after them does: behind a comma, or the closing bracket."""
    edges[0] = at
    c, n = 1, len(text) - 8
    while at < n:
        # The top bit of each byte that is a comma: exact, nothing is carried from byte to byte.
        word = word_at(text, at) ^ _COMMAS
        found = ~(((word & _LOW_BITS) + _LOW_BITS) | word | _LOW_BITS)
        while found:
            edges[c] = at + (trailing_zeros(found) >> 3) + 1
            c += 1
            if c == len(edges):
                return int(edges[c - 1])
            found &= found - _ONE
        at += 8
    while c < len(edges):
        while text[at] != _COMMA and text[at] != _CLOSING:
            at += 1
        at += 1
        edges[c] = at
        c += 1
    return at


@borrowing
def _put_head(out: NDArray[np.uint8], at: int, fixed: Texts, heads: Heads, i: int) -> int:
    at = put_text(out, at, heads.assets, heads.asset[i])
    at = put_text(out, at, heads.sizes, heads.size[i])
    at = write_stamp(out, at, heads.start_us[i])
    if heads.size_us[i] == LIFETIME:
        return put_text(out, at, fixed, NO_END)
    at = put_text(out, at, fixed, END)
    at = write_stamp(out, at, heads.start_us[i] + heads.size_us[i])
    return put_text(out, at, fixed, ENDED)


@compiled
def write_updates(
    out: NDArray[np.uint8],
    ends: IntArray,
    texts: Texts,
    lines: NDArray[np.void],
    numbers: tuple[NDArray[np.uint8], IntArray],
    whole: tuple[NDArray[np.uint8], IntArray],
    codes: NDArray[np.uint8],
    heads: Heads,
    has_metrics: bool,
    has_values: bool,
) -> None:
    """Write one update after the other.

    Parameters
    ----------
    out, ends
        What is written: room for all updates, and where each of the ``k`` ends in it.
    texts
        Begin with FIXED.
    lines
        The ``m`` metrics, of type LINE.
    numbers, whole
        JSON array of all windows' numbers (whole numbers), and room for the edges of one window's.
    codes
        Why a value is null, ``(k, m)``; 0: it is not.
    heads
        What stands before the metrics.
    has_metrics, has_values
        What follows: one of them at least.
    """
    text, edges = numbers
    whole_text, whole_edges = whole
    before = nothing_before(len(lines))
    at = 0
    number_at = whole_at = 1  # behind the bracket
    for i in range(len(ends)):
        number_at = _find_edges(text, number_at, edges)
        whole_at = _find_edges(whole_text, whole_at, whole_edges)
        at = _put_head(out, at, texts, heads, i)
        at = put_text(out, at, texts, SEQ_NAME)
        at = put_numbers(out, at, whole_text, whole_edges, SEQ, SEQ + 1)
        at = put_text(out, at, texts, FINAL if heads.is_final[heads.asset[i]] else OPEN)
        if has_metrics:
            at = put_metrics(out, at, texts, lines, (text, edges), (whole_text, whole_edges), codes[i], before)
        if has_values:
            at = put_values(out, at, texts, lines, (text, edges), (whole_text, whole_edges), codes[i])
        out[at] = _BRACE_ENDED
        at += 1
        ends[i] = at
