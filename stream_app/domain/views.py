"""Windows as they read: closed ones, and open ones with the rows that still wait counted in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray, IntArray
from stream_app.columns.segments import first_of_runs
from stream_app.domain.lines import LEVELS, NEVER
from stream_app.domain.metrics._base import MetricValues
from stream_app.domain.samples import Samples
from stream_app.domain.since import LIFE, LateMetric, Since, late_metrics
from stream_app.domain.specs import AssetSpecs
from stream_app.domain.state import Fleet

#: Size of the window that never closes.
LIFETIME = 0


@dataclass(frozen=True, slots=True)
class Windows:
    """``w`` windows: arrays of shape ``(w,)``, totals ``(width, w)``.

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
    """Every metric's reading of some windows, by name, and the share of their time that is covered.

    ``late`` has the coverage of metrics that count from later than their window on, by name.
    """

    windows: Windows
    by_metric: dict[str, MetricValues]
    coverage: FloatArray
    late: Mapping[str, LateMetric] = field(default_factory=dict)


def concatenated(fleet: Fleet, parts: list[Windows]) -> Windows:
    """All windows of the parts, in order."""
    none = np.zeros(0, np.int64)
    empty = fleet.catalogue.layout.empty(0)
    parts = [Windows.of(fleet, slot=none, size_us=none, start_us=none, seq=none, totals=empty), *parts]
    before = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return Windows(
        slot=np.concatenate([part.slot for part in parts]),
        size_us=np.concatenate([part.size_us for part in parts]),
        start_us=np.concatenate([part.start_us for part in parts]),
        seq=np.concatenate([part.seq for part in parts]),
        totals=np.concatenate([part.totals for part in parts], axis=1),
        specs=AssetSpecs.concatenated([part.specs for part in parts]),
        spec_json=[text for part in parts for text in part.spec_json],
        since={i + at: since for part, at in zip(parts, before, strict=False) for i, since in part.since.items()},
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


def current(fleet: Fleet, slots: IntArray) -> tuple[Windows, Windows]:
    """Lifetimes and open windows of the assets (those that have rows)."""
    layout, rows_at = fleet.catalogue.layout, fleet.catalogue.rows_at
    integers, floats = fleet.integers, fleet.floats
    slots = slots[integers.last_us[slots] != NEVER]
    k = len(slots)
    pane = floats.level(0)[slots].T
    waiting, owner, time_us = _waiting(fleet, slots)
    columns = fleet.catalogue.contributions(waiting)

    def waiting_totals(counts: BoolArray) -> FloatArray:
        """Totals of the waiting rows; rows that do not count go to a slot that is dropped."""
        added = layout.empty(k + 1)
        layout.add(added, np.where(counts, owner, k), columns)
        return added[:, :k]

    waiting_of_life = waiting_totals(np.ones(len(owner), bool))
    life = layout.merged(layout.merged(floats.life[slots].T, pane), waiting_of_life)
    seq, first_us = integers.applied_offset[slots], integers.first_us[slots]
    lifetimes = Windows.of(fleet, slot=slots, size_us=np.full(k, LIFETIME), start_us=first_us, seq=seq, totals=life)
    parts = []
    for level in range(LEVELS):
        size_us, number = integers.size_us[slots, level], integers.open_number[slots, level]
        totals = pane if level == 0 else layout.merged(floats.level(level)[slots].T, pane)
        inside = time_us // np.maximum(size_us, 1)[owner] == number[owner]
        totals = layout.merged(totals, waiting_of_life if inside.all() else waiting_totals(inside))
        have = np.flatnonzero((size_us > 0) & (totals[rows_at] > 0))
        start_us = (number * size_us)[have]
        parts.append(
            Windows.of(
                fleet,
                slot=slots[have],
                size_us=size_us[have],
                start_us=start_us,
                seq=seq[have],
                totals=totals[:, have],
            )
        )
    return lifetimes, concatenated(fleet, parts)


def read(fleet: Fleet, windows: Windows, *, closed: bool) -> Readings:
    """Read every metric of the windows; lifetimes, which alone have sequential states, come first."""
    slot = windows.slot
    newest_us = fleet.integers.last_us[slot]
    life = windows.size_us == LIFETIME
    open_span_us = (
        np.where(life, newest_us, np.minimum(newest_us, windows.start_us + windows.size_us)) - windows.start_us
    )
    span_s = (windows.size_us if closed else open_span_us) / 1e6
    catalogue = fleet.catalogue
    states = None
    if life.any():
        lives = slot[life].tolist()
        if not life[: len(lives)].all():
            msg = "a window stands before a lifetime"
            raise ValueError(msg)
        states = {
            type(state): [(fleet.floats.state(type(state))[life], fleet.stacks.get(life)[number]) for life in lives]
            for number, state in enumerate(catalogue.sequential_states)
        }
    by_metric = catalogue.read(windows.totals, span_s, windows.specs, states)
    coverage = catalogue.coverage(windows.totals, span_s)
    late: Mapping[str, LateMetric] = {}
    if windows.since:
        valid_s = windows.totals[catalogue.valid_at]
        late = late_metrics(windows.since, catalogue.rests_on, valid_s=valid_s, span_s=span_s, coverage=coverage)
    return Readings(windows, by_metric, coverage, late)


def _waiting(fleet: Fleet, slots: IntArray) -> tuple[Samples, IntArray, IntArray]:
    """Rows whose duration is not known yet, as samples without one; with their owners and stamps."""
    k = len(slots)
    rows = fleet.pending.get(slots)
    owner = np.repeat(np.arange(k), fleet.pending.count[slots])
    n, columns = len(rows), fleet.catalogue.columns
    soc = rows.values[columns.index("soc_percent")]
    following = np.full(n, np.nan)
    same = np.flatnonzero(~first_of_runs(owner))
    following[same - 1] = soc[same]
    samples = Samples(
        asset=owner,
        starts=np.searchsorted(owner, np.arange(k)),
        values=dict(zip(columns, rows.values, strict=True)),
        soc_following_percent=following,
        dt_s=np.zeros(n),
        valid=np.zeros(n, bool),
        gap_s=np.zeros(n),
        specs=fleet.specs.take(slots),
        carried=fleet.catalogue.carried,
        carry=fleet.floats.carry[slots],
    )
    return samples, owner, rows.time_us
