"""Windows as they read: closed ones, and open ones with the rows that still wait counted in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.segments import first_of_runs
from stream_app.domain.metrics._base import MetricValues
from stream_app.domain.rows import COLUMNS
from stream_app.domain.samples import Samples
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.state import APPLIED, FIRST_US, LAST_US, NEVER, NUMBER, SIZE_US, Fleet

#: Size of the window that never closes.
LIFETIME = 0


@dataclass(frozen=True, slots=True)
class Windows:
    """``w`` windows: arrays of shape ``(w,)``, totals ``(width, w)``.

    ``seq`` is the last source offset that they include (of a closed one: the offset that closed it); ``size_us`` is
    LIFETIME for a lifetime, whose start is the asset's first stamp. ``specs`` are those in force then, ``spec_json``
    the same as text.
    """

    code: IntArray
    size_us: IntArray
    start_us: IntArray
    seq: IntArray
    totals: FloatArray
    specs: AssetSpecs
    spec_json: list[bytes]

    def __len__(self) -> int:
        return len(self.code)

    @classmethod
    def of(
        cls, fleet: Fleet, *, code: IntArray, size_us: IntArray, start_us: IntArray, seq: IntArray, totals: FloatArray
    ) -> Windows:
        """Windows of the fleet's assets, with their present specs."""
        spec_json = [fleet.spec_json[c] for c in code.tolist()]
        return cls(code, size_us, start_us, seq, totals, fleet.specs.take(code), spec_json)


@dataclass(frozen=True, slots=True)
class Readings:
    """Every metric's reading of some windows, by name, and the share of their time that is covered."""

    windows: Windows
    by_metric: dict[str, MetricValues]
    coverage: FloatArray


def concatenated(fleet: Fleet, parts: list[Windows]) -> Windows:
    """All windows of the parts, in order."""
    none = np.zeros(0, np.int64)
    empty = fleet.catalogue.layout.empty(0)
    parts = [Windows.of(fleet, code=none, size_us=none, start_us=none, seq=none, totals=empty), *parts]
    return Windows(
        code=np.concatenate([part.code for part in parts]),
        size_us=np.concatenate([part.size_us for part in parts]),
        start_us=np.concatenate([part.start_us for part in parts]),
        seq=np.concatenate([part.seq for part in parts]),
        totals=np.concatenate([part.totals for part in parts], axis=1),
        specs=AssetSpecs.concatenated([part.specs for part in parts]),
        spec_json=[text for part in parts for text in part.spec_json],
    )


def by_asset_and_size(windows: Windows) -> Iterator[tuple[int, int, list[int], list[int]]]:
    """Asset, size [us], positions and starts [us] of the windows of one asset and size, by start ascending."""
    order = np.lexsort((windows.start_us, windows.size_us, windows.code))
    code, size_us = windows.code[order], windows.size_us[order]
    begin = np.flatnonzero(first_of_runs(code, size_us))
    stop = np.append(begin, len(order))[1:]
    positions, starts_us = order.tolist(), windows.start_us[order].tolist()
    for k, us, low, high in zip(
        code[begin].tolist(), size_us[begin].tolist(), begin.tolist(), stop.tolist(), strict=True
    ):
        yield k, us, positions[low:high], starts_us[low:high]


def current(fleet: Fleet, codes: IntArray) -> tuple[Windows, Windows]:
    """Lifetimes and open windows of the assets (those that have rows)."""
    layout, rows_at = fleet.catalogue.layout, fleet.catalogue.rows_at
    codes = codes[fleet.ints[codes, LAST_US] != NEVER]
    k = len(codes)
    ints = fleet.ints[codes]
    pane = fleet.floats[codes, fleet.level[0]].T
    waiting, owner, time_us = _waiting(fleet, codes)
    columns = fleet.catalogue.columns(waiting)

    def waiting_totals(counts: BoolArray) -> FloatArray:
        """Totals of the waiting rows; rows that do not count go to a slot that is dropped."""
        added = layout.empty(k + 1)
        layout.add(added, np.where(counts, owner, k), columns)
        return added[:, :k]

    waiting_of_life = waiting_totals(np.ones(len(owner), bool))
    life = layout.merged(layout.merged(fleet.floats[codes, fleet.life].T, pane), waiting_of_life)
    seq = ints[:, APPLIED]
    lifetimes = Windows.of(
        fleet, code=codes, size_us=np.full(k, LIFETIME), start_us=ints[:, FIRST_US], seq=seq, totals=life
    )
    parts = []
    for level in range(SIZE_US.stop - SIZE_US.start):
        size_us = ints[:, SIZE_US][:, level]
        number = ints[:, NUMBER][:, level]
        totals = pane if level == 0 else layout.merged(fleet.floats[codes, fleet.level[level]].T, pane)
        inside = time_us // np.maximum(size_us, 1)[owner] == number[owner]
        totals = layout.merged(totals, waiting_of_life if inside.all() else waiting_totals(inside))
        have = np.flatnonzero((size_us > 0) & (totals[rows_at] > 0))
        start_us = (number * size_us)[have]
        parts.append(
            Windows.of(
                fleet,
                code=codes[have],
                size_us=size_us[have],
                start_us=start_us,
                seq=seq[have],
                totals=totals[:, have],
            )
        )
    return lifetimes, concatenated(fleet, parts)


def read(fleet: Fleet, windows: Windows, *, closed: bool) -> Readings:
    """Read every metric of the windows; lifetimes, which alone have memories, come first."""
    code = windows.code
    newest_us = fleet.ints[code, LAST_US]
    life = windows.size_us == LIFETIME
    open_span_us = (
        np.where(life, newest_us, np.minimum(newest_us, windows.start_us + windows.size_us)) - windows.start_us
    )
    span_s = (windows.size_us if closed else open_span_us) / 1e6
    catalogue = fleet.catalogue
    remembered = None
    if life.any():
        lives = code[life].tolist()
        if not life[: len(lives)].all():
            msg = "a window stands before a lifetime"
            raise ValueError(msg)
        remembered = {
            memory: [(fleet.floats[c, at], fleet.tails[memory][c]) for c in lives]
            for memory, at in fleet.memory.items()
        }
    by_metric = catalogue.read(windows.totals, span_s, windows.specs, remembered)
    return Readings(windows, by_metric, catalogue.coverage(windows.totals, span_s))


def _waiting(fleet: Fleet, codes: IntArray) -> tuple[Samples, IntArray, IntArray]:
    """Rows whose duration is not known yet, as samples without one; with their owners and stamps."""
    k = len(codes)
    rows = fleet.pending.get(codes)
    owner = np.repeat(np.arange(k), fleet.pending.count(codes))
    n = len(rows)
    soc = rows.values[COLUMNS.index("soc_percent")]
    following = np.full(n, np.nan)
    same = np.flatnonzero(~first_of_runs(owner))
    following[same - 1] = soc[same]
    samples = Samples(
        asset=owner,
        starts=np.searchsorted(owner, np.arange(k)),
        values=list(rows.values),
        soc_following_percent=following,
        dt_s=np.zeros(n),
        valid=np.zeros(n, bool),
        gap_s=np.zeros(n),
        specs=fleet.specs.take(codes),
        carry=fleet.floats[codes, fleet.carry],
    )
    return samples, owner, rows.time_us
