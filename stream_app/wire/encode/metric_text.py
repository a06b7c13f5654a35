"""The text of a window's metrics: each as an object, or the defined numbers alone.

Of a metric its value (null where it has a reason), unit, reason, sigma, value_unchecked and coverage; the last four
only where there are any. Of the numbers what is null is left out, and each number of a list has a name of its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import BoolArray, IntArray
from stream_app.columns.compiled import borrowing, compiled, inlined
from stream_app.columns.memory_copy import copy_bytes
from stream_app.domain.value_code import COVERAGE
from stream_app.wire.encode.json_columns import Texts, put_text

#: A field that is not there.
NONE: Final = -1
#: Room for the text of a coverage.
_COVERAGE_BYTES: Final = 64

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
END, ENDED, NO_END, SEQ_NAME, OPEN, FINAL, _METRICS, _COVERAGE, _METRICS_ENDED, _VALUES = range(len(FIXED))
_NULL, _BRACE, _BRACE_ENDED = (ord(sign) for sign in "n{}")

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


@inlined
def put_numbers(out: NDArray[np.uint8], at: int, text: NDArray[np.uint8], edges: IntArray, low: int, high: int) -> int:
    """Copy the numbers of some columns and the commas between them."""
    length: int = edges[high] - 1 - edges[low]
    copy_bytes(out, at, text, edges[low], length)
    return at + length


class Before(NamedTuple):
    """The metrics of the update that was written last, so that the next one copies what it has in common with it.

    Most metrics of an asset are null for the same reasons window after window: one copy writes many of them.
    ``begins``, of shape ``(m,)``, is where each of them begins; it is ``fixed`` if nothing in it is a number but the
    coverage. ``codes`` are those of that update, ``coverage`` has its text, and ``covered`` how long that is.
    """

    begins: IntArray
    fixed: BoolArray
    codes: NDArray[np.uint8]
    coverage: NDArray[np.uint8]
    covered: IntArray


@compiled
def nothing_before(metrics: int) -> Before:
    """Before the first update."""
    return Before(
        np.zeros(metrics + 1, np.int64),
        np.zeros(metrics, np.bool_),
        np.zeros(metrics, np.uint8),
        np.zeros(_COVERAGE_BYTES, np.uint8),
        np.zeros(1, np.int64),
    )


@borrowing
def _put_coverage(texts: Texts, numbers: tuple[NDArray[np.uint8], IntArray], before: Before) -> bool:
    """Keep the text of the coverage, which stands with many metrics; whether the update before has the same."""
    text, edges = numbers
    coverage, covered = before.coverage, before.covered[0]
    if text[edges[COVERAGE]] == _NULL:
        before.covered[0] = 0
        return bool(covered == 0)
    begin = texts.ends[_COVERAGE] - texts.starts[_COVERAGE]
    length = edges[COVERAGE + 1] - 1 - edges[COVERAGE]
    same = bool(covered == begin + length)
    if same:
        for k in range(length):
            same &= coverage[begin + k] == text[edges[COVERAGE] + k]
    if not same:
        put_text(coverage, 0, texts, _COVERAGE)
        before.covered[0] = put_numbers(coverage, begin, text, edges, COVERAGE, COVERAGE + 1)
    return same


@inlined
def _is_known(text: NDArray[np.uint8], edges: IntArray, line: np.void) -> bool:
    """Whether all numbers are known that a metric would have unchecked."""
    is_known = bool(line["unchecked"] != NONE)
    if is_known:
        for c in range(line["unchecked"], line["unchecked"] + line["bins"]):
            is_known &= text[edges[c]] != _NULL
    return is_known


@borrowing
def put_metrics(
    out: NDArray[np.uint8],
    at: int,
    texts: Texts,
    lines: NDArray[np.void],
    numbers: tuple[NDArray[np.uint8], IntArray],
    whole: tuple[NDArray[np.uint8], IntArray],
    codes: NDArray[np.uint8],
    before: Before,
) -> int:
    """Write a window's metrics, each with its unit and what else there is to tell."""
    text, edges = numbers
    whole_text, whole_edges = whole
    at = put_text(out, at, texts, _METRICS)
    covers_the_same = _put_coverage(texts, numbers, before)
    begins, fixed = before.begins, before.fixed
    same_from = NONE  # the first of the metrics that read as they did before and are not copied yet
    for m in range(len(lines)):
        line, reason = lines[m], codes[m]
        is_known = reason != 0 and _is_known(text, edges, line)
        has_sigma = line["sigma"] != NONE and text[edges[line["sigma"]]] != _NULL
        is_fixed = reason != 0 and not is_known and not has_sigma
        is_same = is_fixed and fixed[m] and reason == before.codes[m] and (covers_the_same or not line["timed"])
        if is_same:
            same_from = m if same_from == NONE else same_from
            continue
        if same_from != NONE:
            at = _copy_metrics(out, at, begins, same_from, m)
            same_from = NONE
        begins[m] = at
        fixed[m], before.codes[m] = is_fixed, reason
        low, high = line["value"], line["value"] + line["bins"]
        if reason != 0:
            at = put_text(out, at, texts, line["null"])
        elif line["whole"] != NONE:
            at = put_text(out, at, texts, line["begin"])
            at = put_numbers(out, at, whole_text, whole_edges, line["whole"], line["whole"] + 1)
        else:
            at = put_text(out, at, texts, line["begin"])
            at = put_numbers(out, at, text, edges, low, high)
        at = put_text(out, at, texts, line["unit"] + reason)
        if has_sigma:
            at = put_text(out, at, texts, line["sigma_begin"])
            at = put_numbers(out, at, text, edges, line["sigma"], line["sigma"] + 1)
        if is_known:
            low = line["unchecked"]
            at = put_text(out, at, texts, line["unchecked_begin"])
            at = put_numbers(out, at, text, edges, low, low + line["bins"])
            at = put_text(out, at, texts, line["unchecked_end"])
        if line["timed"]:
            copy_bytes(out, at, before.coverage, 0, before.covered[0])
            at += before.covered[0]
    if same_from != NONE:
        at = _copy_metrics(out, at, begins, same_from, len(lines))
    begins[len(lines)] = at
    return put_text(out, at, texts, _METRICS_ENDED)


@inlined
def _copy_metrics(out: NDArray[np.uint8], at: int, begins: IntArray, low: int, high: int) -> int:
    """Copy some metrics of the update before; returns where they end."""
    by = at - begins[low]
    length: int = begins[high] - begins[low]
    copy_bytes(out, at, out, begins[low], length)
    for m in range(low, high):
        begins[m] += by
    return at + length


@borrowing
def put_values(
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
            at = put_numbers(out, at, whole_text, whole_edges, line["whole"], line["whole"] + 1)
            continue
        for k in range(line["bins"]):
            c = line["value"] + k
            if text[edges[c]] != _NULL:
                at = put_text(out, at, texts, line["names"] + k)
                at = put_numbers(out, at, text, edges, c, c + 1)
    if at == begin:
        at += 1
    out[begin] = _BRACE  # in place of the first comma
    out[at] = _BRACE_ENDED
    return at + 1
