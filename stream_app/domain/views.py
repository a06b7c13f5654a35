"""Windows as they read: closed ones, and open ones with the rows that still wait counted in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import FloatArray, IntArray
from stream_app.columns.segments import first_of_runs
from stream_app.domain.compilation import compiled_reading
from stream_app.domain.lines import NEVER
from stream_app.domain.metrics._base import MetricValues, Reasons
from stream_app.domain.reading import LIFETIME
from stream_app.domain.since import LIFE, LateMetric, Since, late_metrics
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.state import Fleet
from stream_app.domain.value_code import COVERAGE, ReadingColumns, ReadingLayout


@dataclass(frozen=True, slots=True)
class Windows:
    """``w`` windows: arrays of shape ``(w,)``, totals ``(w, width)``.

    ``seq`` is the last source offset that they include (of a closed one: the offset that closed it); ``size_us`` is
    LIFETIME for a lifetime, whose start is the asset's first stamp. ``specs`` are those in force then, ``spec_json``
    the same as text. ``since`` tells of late fields, by the window's position.
    """

    slot: IntArray
    size_us: IntArray
    start_us: IntArray
    seq: IntArray
    totals: FloatArray
    specs: AssetSpecs
    spec_json: list[bytes]
    since: dict[int, tuple[Since, ...]]

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def of(
        cls, fleet: Fleet, *, slot: IntArray, size_us: IntArray, start_us: IntArray, seq: IntArray, totals: FloatArray
    ) -> Windows:
        """Windows of the fleet's assets, with their present specs."""
        spec_json = [fleet.spec_json[c] for c in slot.tolist()]
        since = dict(_since(fleet, slot, size_us, start_us)) if fleet.since else {}
        return cls(slot, size_us, start_us, seq, totals, fleet.specs.take(slot), spec_json, since)

    def part(self, part: slice) -> Windows:
        """Some of the windows."""
        index = np.arange(len(self))[part]
        first = int(index[0]) if len(index) else 0
        since = {i - first: since for i, since in self.since.items() if first <= i < first + len(index)}
        return Windows(
            slot=self.slot[part],
            size_us=self.size_us[part],
            start_us=self.start_us[part],
            seq=self.seq[part],
            totals=self.totals[part],
            specs=self.specs.take(index),
            spec_json=self.spec_json[part],
            since=since,
        )


def _since(
    fleet: Fleet, slot: IntArray, size_us: IntArray, start_us: IntArray
) -> Iterator[tuple[int, tuple[Since, ...]]]:
    windows = zip(slot.tolist(), size_us.tolist(), start_us.tolist(), strict=True)
    for i, (asset, size, start) in enumerate(windows):
        window = LIFE if size == LIFETIME else (size, start)
        if asset in fleet.since and window in fleet.since[asset]:
            yield i, fleet.since[asset][window]


@dataclass(frozen=True, slots=True)
class Readings:
    """Every metric's reading of ``w`` windows.

    Parameters
    ----------
    layout
        Which column holds what.
    numbers, whole
        Values, uncertainties and unchecked values, NaN where undefined, ``(w, numbers)``; whole numbers ``(w, whole)``.
    codes
        Number of the reason of each metric's value, ``(w, metrics)``.
    late
        Coverage of metrics that count from later than their window on, by name.
    """

    windows: Windows
    layout: ReadingLayout
    numbers: FloatArray
    whole: IntArray
    codes: NDArray[np.uint8]
    late: Mapping[str, LateMetric] = field(default_factory=dict)

    @property
    def coverage(self) -> FloatArray:
        """Share of the time that is covered, ``(w,)``; NaN of no time."""
        return self.numbers[:, COVERAGE]

    @property
    def by_metric(self) -> dict[str, MetricValues]:
        """Readings by metric's name."""
        return self.of(columns.name for columns in self.layout.metrics)

    def of(self, names: Iterable[str]) -> dict[str, MetricValues]:
        """Readings of these metrics, as far as there are such."""
        wanted = frozenset(names)
        return {
            columns.name: self._values(columns, self.codes[:, number])
            for number, columns in enumerate(self.layout.metrics)
            if columns.name in wanted
        }

    def _values(self, columns: ReadingColumns, codes: NDArray[np.uint8]) -> MetricValues:
        def numbers(at: int, bins: int | None) -> FloatArray:
            return self.numbers[:, at] if bins is None else self.numbers[:, at : at + bins]

        return MetricValues(
            value=np.where(codes == 0, self.whole[:, columns.value], np.nan)
            if columns.whole
            else numbers(columns.value, columns.bins),
            reason=Reasons(codes, columns.reasons),
            sigma=None if columns.sigma is None else numbers(columns.sigma, None),
            unchecked=None if columns.unchecked is None else numbers(columns.unchecked, columns.bins),
        )


def concatenated(fleet: Fleet, parts: list[Windows]) -> Windows:
    """All windows of the parts, in order."""
    none = np.zeros(0, np.int64)
    empty = fleet.catalogue.layout.empty(0).T
    parts = [Windows.of(fleet, slot=none, size_us=none, start_us=none, seq=none, totals=empty), *parts]
    before = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return Windows(
        slot=np.concatenate([part.slot for part in parts]),
        size_us=np.concatenate([part.size_us for part in parts]),
        start_us=np.concatenate([part.start_us for part in parts]),
        seq=np.concatenate([part.seq for part in parts]),
        totals=np.concatenate([part.totals for part in parts]),
        specs=AssetSpecs.concatenated([part.specs for part in parts]),
        spec_json=[text for part in parts for text in part.spec_json],
        since={i + at: since for part, at in zip(parts, before, strict=False) for i, since in part.since.items()},
    )


def taken(of: Windows, index: IntArray) -> Windows:
    """The windows at the given positions."""
    return Windows(
        slot=of.slot[index],
        size_us=of.size_us[index],
        start_us=of.start_us[index],
        seq=of.seq[index],
        totals=of.totals[index],
        specs=of.specs.take(index),
        spec_json=[of.spec_json[i] for i in index.tolist()],
        since={new: of.since[old] for new, old in enumerate(index.tolist()) if old in of.since},
    )


def by_asset_and_size(windows: Windows) -> Iterator[tuple[int, int, list[int], list[int]]]:
    """Asset, size [us], positions and starts [us] of the windows of one asset and size, by start ascending."""
    order = np.lexsort((windows.start_us, windows.size_us, windows.slot))
    slot, size_us = windows.slot[order], windows.size_us[order]
    begin = np.flatnonzero(first_of_runs(slot, size_us))
    stop = np.append(begin, len(order))[1:]
    positions, starts_us = order.tolist(), windows.start_us[order].tolist()
    for k, us, low, high in zip(
        slot[begin].tolist(), size_us[begin].tolist(), begin.tolist(), stop.tolist(), strict=True
    ):
        yield k, us, positions[low:high], starts_us[low:high]


def current(fleet: Fleet, slots: IntArray) -> Windows:
    """Lifetimes of the assets that have rows, then their open windows, level by level."""
    catalogue, integers = fleet.catalogue, fleet.integers
    layout, compiled = catalogue.layout, compiled_reading(catalogue)
    slots = slots[integers.last_us[slots] != NEVER]
    levels = np.count_nonzero(integers.size_us[slots].any(axis=0))
    n = (1 + levels) * len(slots)
    about, totals, has_rows = np.empty((4, n), np.int64), np.empty((n, layout.width)), np.empty(n, np.bool)
    compiled.current(
        slots,
        (integers.array, fleet.floats.array),
        fleet.floats.places,
        (layout.kinds, layout.identity, catalogue.rows_at),
        fleet.pending.view(),
        np.empty(layout.width),
        (about, totals, has_rows),
    )
    if not has_rows.all():
        about, totals = about[:, has_rows], totals[has_rows]
    slot, size_us, start_us, seq = about
    return Windows.of(fleet, slot=slot, size_us=size_us, start_us=start_us, seq=seq, totals=totals)


def read(fleet: Fleet, windows: Windows, *, closed: bool) -> Readings:
    """Read every metric of the windows; lifetimes alone have sequential states."""
    catalogue, w = fleet.catalogue, len(windows)
    layout, compiled = catalogue.reading_layout, compiled_reading(catalogue)
    span_s, whole, numbers = np.empty(w), np.empty((w, layout.whole), np.int64), np.empty((w, layout.numbers))
    codes = np.empty((w, len(layout.metrics)), np.uint8)
    given = windows.slot, windows.size_us, windows.start_us, windows.seq, windows.totals
    compiled.read(
        tuple(map(np.ascontiguousarray, given)),  # compiled code is of one layout
        windows.specs.lines(),
        (fleet.integers.array, fleet.floats.array),
        fleet.stacks.view(),
        catalogue.valid_at,
        closed,
        np.empty(compiled.residues),
        (span_s, whole, numbers, codes),
    )
    late: Mapping[str, LateMetric] = {}
    if windows.since:
        valid_s, coverage = windows.totals[:, catalogue.valid_at], numbers[:, COVERAGE]
        late = late_metrics(windows.since, catalogue.rests_on, valid_s=valid_s, span_s=span_s, coverage=coverage)
    return Readings(windows, layout, numbers, whole, codes, late)
