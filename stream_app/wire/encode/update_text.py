"""The text of a metrics update, put together by a compiled walk over windows and metrics.

What stands in an update, in this order: asset, window (a lifetime has no end), seq, final, and of each metric its value
(null where it has a reason), unit, reason, sigma, value_unchecked and coverage; the last four only where there are any.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import compiled
from stream_app.columns.memory_copy import copy_bytes
from stream_app.wire.encode.json_columns import Texts

#: A field that is not there.
NONE: Final = -1

#: Texts that every plan begins with.
FIXED: Final = (
    b'","end":"',
    b'"}',
    b'","end":null}',
    b',"seq":',
    b',"final":false,"metrics":{',
    b',"final":true,"metrics":{',
    b',"coverage":',
    b"}",
    b"}}",
)
_END, _ENDED, _NO_END, _SEQ, _OPEN, _FINAL, _COVERAGE, _METRIC_ENDED, _UPDATE_ENDED = range(len(FIXED))

#: One metric: numbers of its texts and, of each of its fields, the first column of numbers and how many there are.
LINE: Final = np.dtype(
    [
        (name, np.int64)
        for name in (
            "begin",  # up to the value
            "null",  # the same and a null in its place
            "unit",  # behind the value: the unit; behind a null that has reason r: text unit + r
            "value",
            "value_bins",
            "sigma",
            "sigma_begin",
            "unchecked",
            "unchecked_bins",
            "unchecked_begin",
            "unchecked_end",
            "coverage",
        )
    ]
)


class Heads(NamedTuple):
    """What is told of ``k`` windows before their metrics, each ``(k,)``; stamps as lines ``(k, bytes)``.

    ``asset`` and ``size`` number texts of ``assets`` and ``sizes``.
    """

    assets: Texts
    asset: IntArray
    sizes: Texts
    size: IntArray
    is_life: BoolArray
    is_final: BoolArray
    start: NDArray[np.uint8]
    start_bytes: IntArray
    end: NDArray[np.uint8]
    end_bytes: IntArray

    def most_bytes(self) -> int:
        """Room that is enough for all of them."""
        assets, sizes = self.assets.ends - self.assets.starts, self.sizes.ends - self.sizes.starts
        return int(assets[self.asset].sum() + sizes[self.size].sum()) + self.start.size + self.end.size


@compiled
def _put(out: NDArray[np.uint8], at: int, texts: Texts, i: int) -> int:
    """Copy text ``i``; returns where it ends."""
    length: int = texts.ends[i] - texts.starts[i]
    copy_bytes(out, at, texts.buffer, texts.starts[i], length)
    return at + length


@compiled
def _put_line(out: NDArray[np.uint8], at: int, line: NDArray[np.uint8], length: int) -> int:
    copy_bytes(out, at, line, 0, length)
    return at + length


@compiled
def _put_numbers(out: NDArray[np.uint8], at: int, numbers: Texts, first: int, count: int) -> int:
    """Copy numbers and the commas between them."""
    length: int = numbers.ends[first + count - 1] - numbers.starts[first]
    copy_bytes(out, at, numbers.buffer, numbers.starts[first], length)
    return at + length


@compiled
def _put_head(out: NDArray[np.uint8], at: int, fixed: Texts, heads: Heads, i: int) -> int:
    at = _put(out, at, heads.assets, heads.asset[i])
    at = _put(out, at, heads.sizes, heads.size[i])
    at = _put_line(out, at, heads.start[i], heads.start_bytes[i])
    if heads.is_life[i]:
        return _put(out, at, fixed, _NO_END)
    at = _put(out, at, fixed, _END)
    at = _put_line(out, at, heads.end[i], heads.end_bytes[i])
    return _put(out, at, fixed, _ENDED)


@compiled
def write_updates(
    out: NDArray[np.uint8],
    ends: IntArray,
    texts: Texts,
    lines: NDArray[np.void],
    numbers: Texts,
    is_finite: BoolArray,
    reasons: NDArray[np.uint8],
    heads: Heads,
    seq: int,
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
    numbers, is_finite
        Text of each number, and whether it is one: of column ``c``, ``b`` bins wide, window ``i`` has the ``b`` from
        ``k * c + b * i`` on.
    reasons
        Why a value is null, ``(m, k)``; 0: it is not.
    heads
        What stands before the metrics.
    seq
        Its column.
    """
    k, at = len(ends), 0
    for i in range(k):
        at = _put_head(out, at, texts, heads, i)
        at = _put(out, at, texts, _SEQ)
        at = _put(out, at, numbers, k * seq + i)
        at = _put(out, at, texts, _FINAL if heads.is_final[i] else _OPEN)
        for m in range(len(lines)):
            line, reason = lines[m], reasons[m, i]
            if reason == 0:
                at = _put(out, at, texts, line["begin"])
                at = _put_numbers(out, at, numbers, k * line["value"] + line["value_bins"] * i, line["value_bins"])
            else:
                at = _put(out, at, texts, line["null"])
            at = _put(out, at, texts, line["unit"] + reason)
            if line["sigma"] != NONE and is_finite[k * line["sigma"] + i]:
                at = _put(out, at, texts, line["sigma_begin"])
                at = _put(out, at, numbers, k * line["sigma"] + i)
            if line["unchecked"] != NONE and reason != 0:
                bins = line["unchecked_bins"]
                first = k * line["unchecked"] + bins * i
                if is_finite[first : first + bins].all():
                    at = _put(out, at, texts, line["unchecked_begin"])
                    at = _put_numbers(out, at, numbers, first, bins)
                    at = _put(out, at, texts, line["unchecked_end"])
            if line["coverage"] != NONE and is_finite[k * line["coverage"] + i]:
                at = _put(out, at, texts, _COVERAGE)
                at = _put(out, at, numbers, k * line["coverage"] + i)
            at = _put(out, at, texts, _METRIC_ENDED)
        at = _put(out, at, texts, _UPDATE_ENDED)
        ends[i] = at
