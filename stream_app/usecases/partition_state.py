"""Hot state of one source partition: what has been applied since the tables were last written."""

from __future__ import annotations

import numpy as np

from schemas.asset import window_size_s
from schemas.control import EndOfUpload, Forget, SpecControl
from stream_app.columns.arrays import IntArray
from stream_app.domain import ingestion
from stream_app.domain.rows import Rows
from stream_app.domain.snapshot import Marker, Snapshots
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Windows
from stream_app.usecases.ports import MARKER_KEY, Tables
from stream_app.wire.batch import Batch, ControlRecord, Reject


class HotPartition:
    """Applies decoded batches to the fleet of one partition, whose assets it loads from the tables when they appear."""

    def __init__(self, partition: int, fleet: Fleet, tables: Tables) -> None:
        self._partition = partition
        self._tables = tables
        self.fleet = fleet
        self.snapshots = Snapshots(self.fleet)
        marker = tables.asset(partition, MARKER_KEY)
        stored = Marker.load(marker) if marker is not None else None
        #: Next source offset to apply; None until the first fetch of a partition that was never checkpointed.
        self.position: int | None = stored.position if stored else None
        self.layouts: Layouts = {**(stored.layouts if stored else {}), **self.snapshots.layouts}
        self.dirty: set[int] = set()
        self.forgotten: dict[str, int] = {}  # with the offset of the control
        self.closed: list[Windows] = []

    def apply(self, batch: Batch) -> list[Reject]:
        """Apply a batch, in offset order; returns what its rows or controls are rejected for."""
        rejects: list[Reject] = []
        at = 0
        for record in batch.controls:
            upto = int(np.searchsorted(batch.offset, record.offset))
            rejects += self._rows(batch, at, upto)
            at = upto
            reason = self._control(record)
            if reason:
                rejects.append(Reject(record.message, None, "bad_control", reason))
        return rejects + self._rows(batch, at, len(batch))

    def _slot(self, asset_id: str) -> int:
        fleet = self.fleet
        slot = fleet.slots.get(asset_id)
        if slot is None:
            value = None if asset_id in self.forgotten else self._tables.asset(self._partition, asset_id.encode())
            slot = fleet.slot(asset_id) if value is None else self.snapshots.load(asset_id, value, self.layouts)
        return slot

    def _rows(self, batch: Batch, low: int, high: int) -> list[Reject]:
        if low == high:
            return []
        part = slice(low, high)
        named = np.flatnonzero(np.bincount(batch.asset[part], minlength=len(batch.assets)))
        slots = np.zeros(len(batch.assets), np.int64)
        known = self.fleet.slots
        slots[named] = [
            known[asset_id] if (asset_id := batch.assets[i]) in known else self._slot(asset_id) for i in named.tolist()
        ]
        slot = slots[batch.asset[part]]
        kept: slice | IntArray = part
        rejects: list[Reject] = []
        if self.fleet.ended:
            over = np.array([c in self.fleet.ended for c in slots.tolist()])[batch.asset[part]]
            if over.any():
                index = np.arange(low, high)
                reason = "the upload that this asset was has ended: send to another asset id"
                rejects = _coalesced(batch, index[over], reason)
                kept, slot = index[~over], slot[~over]
        columns = {name: column[kept] for name, column in batch.columns.items()}
        applied = ingestion.apply(self.fleet, Rows(slot, batch.offset[kept], batch.time_us[kept], columns))
        self.closed += applied.closed
        self.dirty.update((np.unique(slot) if rejects else slots[named]).tolist())
        late = (
            "event time is further behind the asset's newest row than the allowed lateness: "
            "send an asset's rows in time order, or raise allowed_lateness_s"
        )
        late_rows = applied.late + low if isinstance(kept, slice) else kept[applied.late]
        return rejects + _coalesced(batch, late_rows, late)

    def _control(self, record: ControlRecord) -> str | None:
        """Apply a control; returns why it cannot be applied, if so."""
        control, fleet = record.control, self.fleet
        if isinstance(control, Forget):
            self._forget(control.asset_id, record.offset)
            return None
        slot = self._slot(control.asset_id)
        if record.offset <= fleet.integers.applied_offset[slot]:
            return None
        fleet.integers.applied_offset[slot] = record.offset
        self.dirty.add(slot)
        if slot in fleet.ended:
            return "the upload that this asset was has ended: it takes no further records"
        if isinstance(control, SpecControl):
            return self._spec(slot, control)
        self.closed += ingestion.finish(fleet, slot, record.offset)
        fleet.ended[slot] = Ended(EndOfUpload.model_validate(control), record.timestamp_ms)
        return None

    def _spec(self, slot: int, control: SpecControl) -> str | None:
        fleet, spec = self.fleet, control.spec
        if spec.windows is not None:
            sizes_s = tuple(window_size_s(size) for size in spec.windows)
            now = [int(size) // 1_000_000 for size in fleet.integers.size_us[slot] if size]
            if fleet.has_rows(slot) and list(sizes_s) != now:
                return (
                    "the window sizes of an asset that has rows cannot change: use another asset id, or forget this one"
                )
            if not fleet.has_rows(slot):
                fleet.set_sizes(slot, sizes_s)
        fleet.set_spec(slot, spec)
        return None

    def _forget(self, asset_id: str, offset: int) -> None:
        if asset_id in self.fleet.slots:
            self.dirty.discard(self.fleet.slots[asset_id])
            self.fleet.remove(asset_id)
        self.forgotten[asset_id] = offset


def _coalesced(batch: Batch, index: IntArray, reason: str) -> list[Reject]:
    """One reject per message."""
    by_message: dict[int, list[int]] = {}
    for message, row in zip(batch.message[index].tolist(), batch.row[index].tolist(), strict=True):
        by_message.setdefault(message, []).append(row)
    return [Reject(message, tuple(sorted(rows)), "late", reason) for message, rows in by_message.items()]
