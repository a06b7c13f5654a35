"""Since when a field counts: fields that a later release added hold less than the window in which they stand.

Almost always there are none. A metric that rests on one tells it: its coverage is that of the time since then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.domain.catalogue import Catalogue, share
from stream_app.domain.lines import NEVER

#: A window of one asset: its size and start [us]; both 0: the lifetime.
Window = tuple[int, int]
LIFE: Window = (0, 0)


@dataclass(frozen=True, slots=True)
class Since:
    """From where on fields count in a window.

    Parameters
    ----------
    fields
        Fields of a pane and sequential states, as stored states name them.
    time_us
        Stamp of the first row that they count.
    rows, valid_s
        Rows and valid seconds of the window before that: the fields do not hold them.
    """

    fields: frozenset[str]
    time_us: int
    rows: int
    valid_s: float


Sinces = dict[Window, tuple[Since, ...]]


def dump(sinces: Mapping[Window, Iterable[Since]]) -> list[Any]:
    """As JSON values."""
    return [
        [*window, sorted(since.fields), since.time_us, since.rows, since.valid_s]
        for window, some in sinces.items()
        for since in some
    ]


def load(stored: Iterable[Any], known: frozenset[str]) -> Sinces:
    """From JSON values; fields that are not known any more are dropped."""
    sinces: Sinces = {}
    for size_us, start_us, fields, time_us, rows, valid_s in stored:
        kept = known.intersection(fields)
        if kept:
            window = int(size_us), int(start_us)
            sinces[window] = (*sinces.get(window, ()), Since(kept, int(time_us), int(rows), float(valid_s)))
    return sinces


def late(fields: frozenset[str], time_us: int, totals: FloatArray, catalogue: Catalogue) -> tuple[Since, ...]:
    """Fields that count from a stamp on in a window that held totals ``(pane,)`` then; of no rows none is late."""
    rows = totals[catalogue.rows_at]
    if not fields or np.isnan(rows) or rows <= 0:
        return ()
    return (Since(fields, time_us, int(rows), float(totals[catalogue.valid_at])),)


@dataclass(frozen=True, slots=True)
class LateMetric:
    """A metric that rests on late fields in some of ``w`` windows: coverage ``(w,)``, and since when, else NEVER."""

    coverage: FloatArray
    since_us: IntArray


def late_metrics(
    sinces: Mapping[int, Iterable[Since]],
    rests_on: Mapping[str, frozenset[str]],
    *,
    valid_s: FloatArray,
    span_s: FloatArray,
    coverage: FloatArray,
) -> dict[str, LateMetric]:
    """Metrics that rest on late fields in any of ``w`` windows, by name; what is late comes by the window's position.

    Parameters
    ----------
    rests_on
        Fields and sequential states of each metric.
    valid_s, span_s, coverage
        Valid seconds, time covered, and the share, of each window, ``(w,)``.
    """
    by_fields: dict[frozenset[str], list[tuple[int, int, float]]] = {}
    for i, since in _each(sinces):
        by_fields.setdefault(since.fields, []).append((i, since.time_us, since.valid_s))
    late: dict[str, LateMetric] = {}
    for fields, entries in by_fields.items():
        at, time_us = (np.array([entry[k] for entry in entries], np.int64) for k in (0, 1))
        counted_s = np.maximum(valid_s[at] - np.array([before_s for _, _, before_s in entries]), 0.0)
        own = share(counted_s, span_s[at])
        for name in (name for name, needed in rests_on.items() if needed & fields):
            if name not in late:
                late[name] = LateMetric(coverage.copy(), np.full(len(coverage), NEVER))
            metric = late[name]
            later = time_us > metric.since_us[at]  # of several fields the latest tells
            metric.coverage[at[later]], metric.since_us[at[later]] = own[later], time_us[later]
    return late


def _each(sinces: Mapping[int, Iterable[Since]]) -> Iterator[tuple[int, Since]]:
    return ((i, since) for i, some in sinces.items() for since in some)
