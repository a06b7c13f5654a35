"""From what changed in a partition's state to what a checkpoint writes, and back when it is confirmed.

The order of a checkpoint, and what makes it safe, is described at :class:`stream_app.usecases.ports.Checkpoint`. It is
collected in slices of some milliseconds, so that look-ups have their turn between; nothing may be applied meanwhile.
While it is written rows are applied: what it includes is set aside in the state, and comes back if the write fails. So
only one checkpoint of a partition may be under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeVar

import numpy as np

from stream_app.columns.arrays import IntArray
from stream_app.domain import views
from stream_app.domain.views import Windows
from stream_app.usecases.asset_views import current
from stream_app.usecases.changes import Changes
from stream_app.usecases.entry import Entry
from stream_app.usecases.partition_state import PartitionState
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, Tables
from stream_app.usecases.spans import KeptWindows
from stream_app.usecases.window_keys import asset_prefix, size_prefix, window_key
from stream_app.wire.encode.update_list import UpdateList
from stream_app.wire.encode.update_records import update_records
from stream_app.wire.encode.updates import UpdateForm

#: Bound what one slice takes: larger ones keep look-ups waiting, smaller ones pay numpy's fixed costs too often.
_ASSETS_PER_SLICE: Final = 250
_WINDOWS_PER_SLICE: Final = 1_000
#: Of a slice without updates.
_NONE: Final = UpdateList()

_C = TypeVar("_C", bound=Checkpoint)


class Checkpoints:
    """Collects checkpoints of partition states; until one is confirmed, the next includes all of it again.

    Parameters
    ----------
    tables
        What the confirmed checkpoints hold.
    kept_windows
        Closed windows to keep.
    form
        Of the updates.
    clock
        That of the states' emissions [s].
    """

    def __init__(self, tables: Tables, kept_windows: KeptWindows, form: UpdateForm, clock: Callable[[], float]) -> None:
        self._tables, self._kept_windows, self._form, self._clock = tables, kept_windows, form, clock
        self._in_flight: dict[int, Checkpoint] = {}  # by partition, what is being written
        #: By partition, keys of closed windows that a failed checkpoint put: Kafka may have taken them, or not.
        self._unconfirmed: defaultdict[int, set[bytes]] = defaultdict(set)

    def collect(self, state: PartitionState) -> Generator[UpdateList, None, Checkpoint | None]:
        """Collect what no confirmed checkpoint includes, and updates that were held back until now; None: nothing.

        Its updates are those of the slices, in order. What it includes is set aside in the state; one that was
        collected before and not confirmed has failed.
        """
        self.fail(state.partition)
        state.restore()
        position = state.position
        if position is None:
            return None
        while state.load_held(_ASSETS_PER_SLICE):
            yield _NONE
        next_s = state.next_update_s()
        if position == state.written and (next_s is None or next_s > self._clock()):
            return None
        changes = state.set_aside()
        closed = views.concatenated(state.fleet, list(changes.closed))
        for low in range(0, len(closed), _WINDOWS_PER_SLICE):
            yield from _updates_of_closed(state, closed.part(slice(low, low + _WINDOWS_PER_SLICE)), self._form)
        for slots in _asset_slices(changes.published):
            yield from _updates_of_assets(state, slots, self._form)
        windows = yield from self._window_entries(state, changes, closed, position)
        assets = [Entry(asset_id.encode(), None, offset) for asset_id, offset in sorted(changes.forgotten.items())]
        for slots in _asset_slices(changes.slots):
            assets += _state_entries(state, slots)
            yield _NONE
        return Checkpoint(
            partition=state.partition,
            position=position - state.shift,
            dead_letters=changes.dead_letters,
            windows=[*windows, *self._windows_of_forgotten(state, changes)],
            assets=[*assets, Entry.of(MARKER_KEY, state.marker(position).dump(), position)],
        )

    def hand_out(self, checkpoint: _C) -> _C:
        """Take a checkpoint as one that is being written from now on."""
        self._in_flight[checkpoint.partition] = checkpoint
        return checkpoint

    def confirm(self, state: PartitionState | None, checkpoint: Checkpoint) -> None:
        """Settle a checkpoint that Kafka and the tables hold; ``state`` is the partition's, if it has one now."""
        self._unconfirmed[checkpoint.partition].difference_update(window.key for window in checkpoint.windows)
        if state is not None and self._in_flight.get(checkpoint.partition) is checkpoint:
            del self._in_flight[checkpoint.partition]
            state.settle(checkpoint.position + state.shift)
        # Else the state was dropped meanwhile: the next one starts from the tables, which hold this checkpoint.

    def fail(self, partition: int) -> None:
        """Take the partition's checkpoint in flight, if any, as one that Kafka may have taken, or not."""
        checkpoint = self._in_flight.pop(partition, None)
        if checkpoint is not None:
            self._unconfirmed[partition].update(entry.key for entry in checkpoint.windows if entry.packed is not None)

    def clear(self) -> None:
        """Forget what is in flight or unconfirmed: the tables are read from Kafka anew."""
        self._in_flight.clear()
        self._unconfirmed.clear()

    def _window_entries(
        self, state: PartitionState, changes: Changes, closed: Windows, position: int
    ) -> Generator[UpdateList, None, list[Entry]]:
        """Closed windows to put, and those that the tables keep no longer because of them."""
        unconfirmed = self._unconfirmed[state.partition]
        put, gone = list[tuple[int, bytes]](), list[bytes]()
        for count, (slot, size_us, index, starts_us) in enumerate(views.by_asset_and_size(closed), 1):
            if count % _ASSETS_PER_SLICE == 0:
                yield _NONE
            asset_id, size_s = state.fleet.ids[slot], size_us // 1_000_000
            if asset_id in changes.forgotten:
                continue
            keep, prefix = self._kept_windows.of(size_s), size_prefix(asset_id, size_s)
            # Of more windows than are kept the first are not put: nobody has them, unless some are unconfirmed.
            new = slice(None if unconfirmed else -keep, None)
            keys = [window_key(prefix, start_us) for start_us in starts_us[new]]
            old = self._tables.window_keys(state.partition, prefix)
            if not unconfirmed and (not old or old[-1] < keys[0]):  # as nearly always: they follow one another
                gone += old[: max(0, len(old) + len(keys) - keep)]
                put += zip(index[new], keys, strict=True)
                continue
            known, kept = {*old, *unconfirmed}, dict(zip(keys, index[new], strict=True))
            for key in sorted({*old, *keys})[:-keep]:
                kept.pop(key, None)
                if key in known:
                    gone.append(key)
            put += ((i, key) for key, i in kept.items())
        put.sort()
        entries = list[Entry]()
        for low in range(0, len(put), _WINDOWS_PER_SLICE):
            some = put[low : low + _WINDOWS_PER_SLICE]
            at = np.array([i for i, _ in some], np.int64)
            values = state.snapshots.dump_windows(closed, at)
            entries += map(Entry.of, (key for _, key in some), values, closed.seq[at].tolist())
            yield _NONE
        return entries + [Entry(key, None, position) for key in sorted(gone)]

    def _windows_of_forgotten(self, state: PartitionState, changes: Changes) -> Iterator[Entry]:
        """Deletions of all closed windows of assets that are gone."""
        for asset_id, offset in sorted(changes.forgotten.items()):
            prefix = asset_prefix(asset_id)
            unconfirmed = {key for key in self._unconfirmed[state.partition] if key.startswith(prefix)}
            for key in sorted({*self._tables.window_keys(state.partition, prefix), *unconfirmed}):
                yield Entry(key, None, offset)


def all_updates(state: PartitionState, changes: Changes, form: UpdateForm) -> UpdateList:
    """Updates of the windows that closed, then of lifetimes and open windows of the assets that changed."""
    closed = views.concatenated(state.fleet, list(changes.closed))
    return UpdateList.joined(
        [*_updates_of_closed(state, closed, form), *_updates_of_assets(state, changes.slots, form)]
    )


def _updates_of_closed(state: PartitionState, closed: Windows, form: UpdateForm) -> Iterator[UpdateList]:
    fleet = state.fleet
    if not len(closed):
        return iter(())
    readings = views.read(fleet, closed, closed=True)
    return update_records(readings, fleet.ids, fleet.ended, form=form, partition=state.partition, closed=True)


def _updates_of_assets(state: PartitionState, slots: IntArray, form: UpdateForm) -> Iterator[UpdateList]:
    fleet = state.fleet
    return update_records(current(fleet, slots), fleet.ids, fleet.ended, form=form, partition=state.partition)


def _state_entries(state: PartitionState, slots: IntArray) -> Iterator[Entry]:
    """States of assets."""
    fleet = state.fleet
    keys = [fleet.ids[slot].encode() for slot in slots.tolist()]
    return map(Entry.of, keys, state.snapshots.dump_all(slots), fleet.integers.applied_offset[slots].tolist())


def _asset_slices(slots: IntArray) -> Iterator[IntArray]:
    """Assets, some at a time."""
    for low in range(0, len(slots), _ASSETS_PER_SLICE):
        yield slots[low : low + _ASSETS_PER_SLICE]
