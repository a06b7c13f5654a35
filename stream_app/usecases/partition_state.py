"""State of one source partition: what was applied to it, and what of that no written checkpoint includes.

Rows are applied while a checkpoint is being written. What it includes is set aside until then; so everything that was
applied is in a written checkpoint, or set aside, or among the changes since. If the write fails, what was set aside is
changed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.asset import AssetSpec, window_size_s
from schemas.control import CloseUntil, EndOfUpload, Forget, SpecControl
from stream_app.columns.arrays import IntArray
from stream_app.domain import ingestion
from stream_app.domain.ingestion import Leap
from stream_app.domain.rows import Rows
from stream_app.domain.snapshot import Marker, Snapshots, header
from stream_app.domain.state import Ended, Fleet
from stream_app.domain.stored_layout import Layouts
from stream_app.domain.views import Windows
from stream_app.usecases import time_refusals
from stream_app.usecases.admission import READ_BEFORE, Admission, AdmissionRules, Refused, refused_of
from stream_app.usecases.asset_views import rows_of
from stream_app.usecases.changes import Changes
from stream_app.usecases.emission import Emission
from stream_app.usecases.known_slots import UNKNOWN, KnownSlots
from stream_app.usecases.ports import MARKER_KEY, DeadLetter, Tables
from stream_app.usecases.translation import Translation
from stream_app.wire.batch import Batch, ControlRecord, Reject


class PartitionState:
    """The assets of one source partition; each is loaded from the tables when its first row or control comes.

    Parameters
    ----------
    partition
        The partition, of the source and of the tables.
    fleet
        Holds the assets; empty.
    tables
        State as of the last checkpoint.
    emission
        Whose updates are held back; nobody's yet.
    rules
        What holds for new assets.
    """

    def __init__(self, partition: int, fleet: Fleet, tables: Tables, emission: Emission, rules: AdmissionRules) -> None:
        self.partition = partition
        #: Decodes the partition's fetches; what it has learnt is dropped with the state.
        self.translation = Translation(self.spec_of)
        self._tables = tables
        self.fleet = fleet
        self.snapshots = Snapshots(self.fleet)
        marker = tables.asset(partition, MARKER_KEY)
        stored = Marker.load(marker) if marker is not None else None
        #: Topic of the rows, and what a row's ``seq`` is above its offset there: see the marker.
        self.source = stored.source if stored else None
        self.shift = stored.shift if stored else 0
        #: Next ``seq`` to apply; None until the first fetch of a partition that was never checkpointed.
        self.position: int | None = stored.position + self.shift if stored else None
        #: Position of the last written checkpoint.
        self.written: int | None = self.position
        self.layouts: Layouts = {**(stored.layouts if stored else {}), **self.snapshots.layouts}
        #: Rejected messages; whoever applies a batch adds them.
        self.dead_letters: list[DeadLetter] = []
        self.emission = emission
        #: Assets whose updates were held back when the tables were written, and which are not loaded yet.
        self._held_before = [] if stored is None or stored.held_from is None else self._stored_since(stored.held_from)
        self._slots = KnownSlots(self._load)
        counts = stored.assets if stored else None
        self._admission = Admission(rules, partition, len(tables.asset_keys(partition)), counts)
        self._dirty = np.zeros(0, np.bool_)  # by slot
        self._forgotten: dict[str, int] = {}
        self._closed: list[Windows] = []
        self._leaps: list[Leap] = []
        #: What the checkpoint under way includes. Its assets are not among the dirty ones; all else stays in its list.
        self._aside: Changes | None = None

    def _stored_since(self, offset: int) -> list[str]:
        """Stored assets whose state is as of ``offset`` or a later one."""
        found = ((key, self._tables.asset(self.partition, key)) for key in self._tables.asset_keys(self.partition))
        return [key.decode() for key, value in found if value is not None and header(value) >= offset]

    def load_held(self, limit: int) -> bool:
        """Load some of the assets whose updates were held back before; whether there were any left."""
        some, self._held_before = self._held_before[:limit], self._held_before[limit:]
        self.emission.hold(self._load([asset_id for asset_id in some if asset_id not in self._forgotten]))
        return bool(some)

    def next_update_s(self) -> float | None:
        """When the next update that is held back is to be published, on the emission's clock; None: there is none."""
        return float("-inf") if self._held_before else self.emission.next_s()

    def marker(self, position: int) -> Marker:
        """The marker of a checkpoint up to the ``seq`` of ``position``."""
        held = self.emission.held()
        held_from = int(self.fleet.integers.applied_offset[held].min()) if len(held) else None
        counts = self._admission.counts()
        return Marker(position - self.shift, self.layouts, held_from, self.source, self.shift, assets=counts)

    def changes(self) -> Changes:
        """What no written checkpoint includes; of the assets only those that changed since changes were set aside."""
        slots = np.flatnonzero(self._dirty)
        return Changes(
            slots=slots,
            published=slots,
            forgotten=dict(self._forgotten),
            closed=tuple(self._closed),
            dead_letters=tuple(self.dead_letters),
        )

    def set_aside(self) -> Changes:
        """Set everything that no written checkpoint includes aside, for a checkpoint that is to be written now."""
        changes = self.changes()
        self._aside = replace(changes, published=self.emission.publish(changes.slots, self.fleet.ended))
        self._dirty = np.zeros_like(self._dirty)
        return self._aside

    def restore(self) -> None:
        """Take what was set aside, if anything, as changed again: its checkpoint may not have been written."""
        if self._aside is not None:
            ids, slots = self.fleet.ids, self.fleet.slots
            # An asset that was forgotten meanwhile has left its slot.
            self._dirty[[slot for slot in self._aside.slots.tolist() if slots.get(ids[slot]) == slot]] = True
            self.emission.hold(slot for slot in self._aside.published.tolist() if slots.get(ids[slot]) == slot)
            self._aside = None

    def settle(self, position: int) -> None:
        """Take what was set aside as written, up to ``position``; what has changed since is left."""
        if self._aside is not None:
            for asset_id, offset in self._aside.forgotten.items():
                if self._forgotten[asset_id] == offset:  # else it was forgotten once more
                    del self._forgotten[asset_id]
            del self._closed[: len(self._aside.closed)]
            del self.dead_letters[: len(self._aside.dead_letters)]
            self._aside = None
            self.written = position

    def apply(self, batch: Batch) -> list[Reject]:
        """Apply a batch, in offset order; returns what its rows or controls are rejected for."""
        rejects: list[Reject] = []
        at = 0
        for record in batch.controls:
            upto = int(np.searchsorted(batch.offset, record.offset))
            rejects += self._rows(batch, at, upto)
            at = upto
            refused = self._control(record)
            if refused:
                rejects.append(Reject(record.message, None, *refused))
        return rejects + self._rows(batch, at, len(batch))

    def spec_of(self, asset_id: str) -> AssetSpec:
        """Spec in force of an asset; the default one of an asset that is not known."""
        return self.fleet.spec[self._load([asset_id])[0]] if self._has(asset_id) else AssetSpec()

    def taken_leaps(self) -> list[tuple[str, Leap]]:
        """Take the held rows that were refused, each with its asset's id."""
        leaps, self._leaps = self._leaps, []
        return [(self.fleet.ids[leap.slot], leap) for leap in leaps]

    def rows(self, asset_id: str, rows_at: int) -> int:
        """Rows of an asset that the state includes; 0 for one that it does not know."""
        if not self._has(asset_id):
            return 0
        return int(rows_of(self.fleet, np.array(self._load([asset_id])), rows_at)[0])

    def _has(self, asset_id: str) -> bool:
        """Whether the state has an asset, in the fleet or in the tables."""
        if asset_id in self.fleet.slots:
            return True
        return asset_id not in self._forgotten and self._tables.asset(self.partition, asset_id.encode()) is not None

    def _load(self, asset_ids: Sequence[str]) -> list[int]:
        """Slots of assets in the fleet; loads those that are not there yet."""
        fleet = self.fleet
        stored: dict[str, bytes] = {}
        new = []
        for asset_id in asset_ids:
            if asset_id in fleet.slots:
                continue
            value = None if asset_id in self._forgotten else self._tables.asset(self.partition, asset_id.encode())
            if value is None:
                new.append(asset_id)
            else:
                stored[asset_id] = value
        if stored:
            self.snapshots.load_all(tuple(stored), tuple(stored.values()), self.layouts)
        fleet.add(new)
        return [fleet.slots[asset_id] for asset_id in asset_ids]

    def _mark(self, slots: IntArray | int) -> None:
        """Take down that assets have changed."""
        if len(self._dirty) < len(self.fleet.ids):
            self._dirty = np.append(self._dirty, np.zeros(len(self.fleet.ids), np.bool_))
        self._dirty[slots] = True

    def _rows(self, batch: Batch, low: int, high: int) -> list[Reject]:
        """Apply the batch's rows ``low`` to ``high``; returns those that are refused."""
        if low == high:
            return []
        kept: slice | IntArray = slice(low, high)
        rejects: list[Reject] = []
        slot = self._slots.of(batch.assets, batch.asset[kept])
        if slot.min() == UNKNOWN:
            refused, rejects = refused_of(batch, low + np.flatnonzero(slot == UNKNOWN), self._admitted)
            if len(refused):
                kept = np.delete(np.arange(low, high), refused - low)
            slot = self._slots.load(batch.assets, batch.asset[kept])
        if self.fleet.ended:
            slots, at = np.unique(slot, return_inverse=True)
            over = np.array([each in self.fleet.ended for each in slots.tolist()], np.bool_)[at]
            if over.any():
                index = np.arange(low, high) if isinstance(kept, slice) else kept
                rejects += time_refusals.ended(batch, index[over])
                kept, slot = index[~over], slot[~over]
        columns = {name: column[kept] for name, column in batch.columns.items()}
        time_us = batch.time_us[kept]
        latest_us = self.fleet.admission.latest_us(slot, time_us, batch.record_ms, batch.message[kept])
        applied = ingestion.apply(self.fleet, Rows(slot, batch.offset[kept], time_us, columns, latest_us))
        self._closed += applied.closed
        self._leaps += applied.leaps
        self._mark(slot)
        late, ahead = (at + low if isinstance(kept, slice) else kept[at] for at in (applied.late, applied.ahead))
        return rejects + time_refusals.late(batch, late) + time_refusals.ahead(batch, ahead)

    def _admitted(self, asset_id: str, seq: int, timestamp_ms: int) -> Refused | None:
        """Count an asset that is not in the fleet, if it is new; or say why its record is refused."""
        if misplaced := self._admission.misplaced(asset_id):
            return misplaced
        if self._has(asset_id):
            return None
        if seq < (self.position or 0):
            return READ_BEFORE
        return self._admission.admit(timestamp_ms)

    def _control(self, record: ControlRecord) -> Refused | None:
        """Apply a control; returns why it cannot be applied, if so."""
        control, fleet = record.control, self.fleet
        if isinstance(control, Forget):
            self._forget(control.asset_id, record.offset)
            return None
        if isinstance(control, CloseUntil) and not self._has(control.asset_id):
            return None  # it was forgotten meanwhile
        if refused := self._admitted(control.asset_id, record.offset, record.timestamp_ms):
            return refused
        (slot,) = self._load([control.asset_id])
        if record.offset <= fleet.integers.applied_offset[slot]:
            return None
        fleet.integers.applied_offset[slot] = record.offset
        self._mark(slot)
        if slot in fleet.ended:
            if isinstance(control, CloseUntil):
                return None
            return Refused("bad_control", "this asset is an upload that has ended: it takes no further records")
        if isinstance(control, SpecControl):
            return self._spec(slot, control)
        if isinstance(control, CloseUntil):
            self._closed += ingestion.close_until(fleet, slot, control.until_us, record.offset)
            return None
        self._closed += ingestion.finish(fleet, slot, record.offset)
        fleet.ended[slot] = Ended(EndOfUpload.model_validate(control), record.timestamp_ms)
        return None

    def _spec(self, slot: int, control: SpecControl) -> Refused | None:
        """Give an asset its spec; returns why that is refused, if so."""
        fleet, spec = self.fleet, control.spec
        if spec.windows is not None:
            sizes_s = tuple(window_size_s(size) for size in spec.windows)
            now = [int(size) // 1_000_000 for size in fleet.integers.size_us[slot] if size]
            if fleet.has_rows(slot) and list(sizes_s) != now:
                reason = "the window sizes of an asset that has rows cannot change: use another id, or forget this one"
                return Refused("bad_control", reason)
            if not fleet.has_rows(slot):
                fleet.set_sizes(slot, sizes_s)
        fleet.set_spec(slot, spec)
        return None

    def _forget(self, asset_id: str, offset: int) -> None:
        if self._has(asset_id):
            self._admission.forgotten()
        slot = self.fleet.slots.get(asset_id)
        if slot is not None:
            if slot < len(self._dirty):
                self._dirty[slot] = False
            self._slots.forget(slot)
            self.emission.forget(slot)
            self.fleet.remove(asset_id)
        self._forgotten[asset_id] = offset
