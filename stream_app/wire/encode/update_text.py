"""The text of a metrics update, put together by a compiled walk over windows and metrics.

What stands in an update, in this order: asset, window (a lifetime has no end), seq, final, and one or both of

- ``metrics``, of each its value (null where it has a reason), unit, reason, sigma, value_unchecked and coverage; the
  last four only where there are any;
- ``values``, the defined numbers alone: what is null is left out, and each number of a list has a name of its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.columns.memory_copy import copy_bytes
from stream_app.columns.words import trailing_zeros, word_at
from stream_app.domain.reading import LIFETIME
from stream_app.domain.value_code import COVERAGE, SEQ
from stream_app.wire.encode.json_columns import STAMP_BYTES, Texts, put_text, write_stamp

#: A field that is not there.
NONE: Final = -1

#: Texts that every plan begins with.
FIXED: Final = (
    b'","end":"',
    b'"}',
    b'","end":null}',
    b',"seq":',
    b',"final":false',
    b',"final":true',
    b',"metrics":{',
    b',"coverage":',
    b"}}",
    b',"values":',
)
_END, _ENDED, _NO_END, _SEQ, _OPEN, _FINAL, _METRICS, _COVERAGE, _METRICS_ENDED, _VALUES = range(len(FIXED))
_COMMA, _CLOSING, _NULL, _BRACE, _BRACE_ENDED = (ord(sign) for sign in ",]n{}")
_LOW_BITS: Final = np.uint64(0x7F7F_7F7F_7F7F_7F7F)
_COMMAS: Final = np.uint64(int.from_bytes(b"," * 8, "little"))

#: One metric: numbers of its texts and, of each of its fields, the first column and how many there are.
LINE: Final = np.dtype(
    [
        (name, np.int64)
        for name in (
            "begin",  # up to the value
            "null",  # the same and a null in its place
            "unit",  # behind the value: the unit; behind a null that has reason r: text unit + r
            "whole",  # column of a whole number; NONE: the value is among the other numbers
            "value",
            "bins",
            "sigma",
            "sigma_begin",
            "unchecked",
            "unchecked_begin",
            "unchecked_end",
            "timed",
            "names",  # the first of its names among the values
        )
    ]
)


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


@compiled
def _put_numbers(out: NDArray[np.uint8], at: int, text: NDArray[np.uint8], edges: IntArray, low: int, high: int) -> int:
    """Copy the numbers of some columns and the commas between them."""
    length: int = edges[high] - 1 - edges[low]
    copy_bytes(out, at, text, edges[low], length)
    return at + length


@compiled
def _find_edges(text: NDArray[np.uint8], at: int, edges: IntArray) -> int:
    """Find where the next numbers begin, and where the one after them does: behind a comma, or the closing bracket."""
    edges[0] = at
    n = len(text) - 8
    for c in range(1, len(edges)):
        while at < n:
            # The top bit of each byte that is a comma: exact, nothing is carried from byte to byte.
            word = word_at(text, at) ^ _COMMAS
            found = ~(((word & _LOW_BITS) + _LOW_BITS) | word | _LOW_BITS)
            if found:
                at += trailing_zeros(found) >> 3
                break
            at += 8
        while text[at] != _COMMA and text[at] != _CLOSING:
            at += 1
        at += 1
        edges[c] = at
    return at


@compiled
def _put_head(out: NDArray[np.uint8], at: int, fixed: Texts, heads: Heads, i: int) -> int:
    at = put_text(out, at, heads.assets, heads.asset[i])
    at = put_text(out, at, heads.sizes, heads.size[i])
    at = write_stamp(out, at, heads.start_us[i])
    if heads.size_us[i] == LIFETIME:
        return put_text(out, at, fixed, _NO_END)
    at = put_text(out, at, fixed, _END)
    at = write_stamp(out, at, heads.start_us[i] + heads.size_us[i])
    return put_text(out, at, fixed, _ENDED)


@compiled
def _put_metrics(
    out: NDArray[np.uint8],
    at: int,
    texts: Texts,
    lines: NDArray[np.void],
    numbers: tuple[NDArray[np.uint8], IntArray],
    whole: tuple[NDArray[np.uint8], IntArray],
    codes: NDArray[np.uint8],
) -> int:
    """Write a window's metrics, each with its unit and what else there is to tell."""
    text, edges = numbers
    whole_text, whole_edges = whole
    at = put_text(out, at, texts, _METRICS)
    coverage = np.empty(64, np.uint8)
    covered = 0
    if text[edges[COVERAGE]] != _NULL:
        covered = _put_numbers(coverage, put_text(coverage, 0, texts, _COVERAGE), text, edges, COVERAGE, COVERAGE + 1)
    for m in range(len(lines)):
        line, reason = lines[m], codes[m]
        low, high = line["value"], line["value"] + line["bins"]
        if reason != 0:
            at = put_text(out, at, texts, line["null"])
        elif line["whole"] != NONE:
            at = put_text(out, at, texts, line["begin"])
            at = _put_numbers(out, at, whole_text, whole_edges, line["whole"], line["whole"] + 1)
        else:
            at = put_text(out, at, texts, line["begin"])
            at = _put_numbers(out, at, text, edges, low, high)
        at = put_text(out, at, texts, line["unit"] + reason)
        if line["sigma"] != NONE and text[edges[line["sigma"]]] != _NULL:
            at = put_text(out, at, texts, line["sigma_begin"])
            at = _put_numbers(out, at, text, edges, line["sigma"], line["sigma"] + 1)
        if line["unchecked"] != NONE and reason != 0:
            low, high = line["unchecked"], line["unchecked"] + line["bins"]
            known = True
            for c in range(low, high):
                known &= text[edges[c]] != _NULL
            if known:
                at = put_text(out, at, texts, line["unchecked_begin"])
                at = _put_numbers(out, at, text, edges, low, high)
                at = put_text(out, at, texts, line["unchecked_end"])
        if line["timed"] and covered:
            copy_bytes(out, at, coverage, 0, covered)
            at += covered
    return put_text(out, at, texts, _METRICS_ENDED)


@compiled
def _put_values(
    out: NDArray[np.uint8],
    at: int,
    texts: Texts,
    lines: NDArray[np.void],
    numbers: tuple[NDArray[np.uint8], IntArray],
    whole: tuple[NDArray[np.uint8], IntArray],
    codes: NDArray[np.uint8],
) -> int:
    """Write a window's defined values by name."""
    text, edges = numbers
    whole_text, whole_edges = whole
    begin = at = put_text(out, at, texts, _VALUES)
    for m in range(len(lines)):
        line = lines[m]
        if codes[m] != 0:
            continue
        if line["whole"] != NONE:
            at = put_text(out, at, texts, line["names"])
            at = _put_numbers(out, at, whole_text, whole_edges, line["whole"], line["whole"] + 1)
            continue
        for k in range(line["bins"]):
            c = line["value"] + k
            if text[edges[c]] != _NULL:
                at = put_text(out, at, texts, line["names"] + k)
                at = _put_numbers(out, at, text, edges, c, c + 1)
    if at == begin:
        at += 1
    out[begin] = _BRACE  # in place of the first comma
    out[at] = _BRACE_ENDED
    return at + 1


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
    at = 0
    number_at = whole_at = 1  # behind the bracket
    for i in range(len(ends)):
        number_at = _find_edges(text, number_at, edges)
        whole_at = _find_edges(whole_text, whole_at, whole_edges)
        at = _put_head(out, at, texts, heads, i)
        at = put_text(out, at, texts, _SEQ)
        at = _put_numbers(out, at, whole_text, whole_edges, SEQ, SEQ + 1)
        at = put_text(out, at, texts, _FINAL if heads.is_final[heads.asset[i]] else _OPEN)
        if has_metrics:
            at = _put_metrics(out, at, texts, lines, (text, edges), (whole_text, whole_edges), codes[i])
        if has_values:
            at = _put_values(out, at, texts, lines, (text, edges), (whole_text, whole_edges), codes[i])
        out[at] = _BRACE_ENDED
        at += 1
        ends[i] = at
