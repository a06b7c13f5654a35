"""From what changed in a partition's state to what a checkpoint writes, and back when it is confirmed.

The order of a checkpoint, and what makes it safe, is described at :class:`stream_app.usecases.ports.Checkpoint`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import Marker
from stream_app.domain.views import Windows
from stream_app.usecases.asset_views import current
from stream_app.usecases.partition_state import Changes, PartitionState
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, Entry, Tables
from stream_app.usecases.window_keys import asset_prefix, size_prefix, window_key
from stream_app.wire.encode.updates import updates


@dataclass(frozen=True, slots=True)
class KeptWindows:
    """How many closed windows of an asset the tables keep: by size [s], and of sizes that are not named."""

    by_size_s: Mapping[int, int]
    default: int

    def of(self, size_s: int) -> int:
        """Closed windows of a size to keep."""
        return self.by_size_s.get(size_s, self.default)


class Checkpoints:
    """Collects checkpoints of partition states; until one is confirmed, the next includes all of it again.

    Parameters
    ----------
    tables
        What the confirmed checkpoints hold.
    catalogue
        The metrics that are published.
    kept_windows
        Closed windows to keep.
    """

    def __init__(self, tables: Tables, catalogue: Catalogue, kept_windows: KeptWindows) -> None:
        self._tables, self._catalogue, self._kept_windows = tables, catalogue, kept_windows
        #: By partition, the checkpoint that is being written, and the changes that it includes.
        self._in_flight: dict[int, tuple[Checkpoint, Changes]] = {}
        #: By partition, keys of closed windows that a failed checkpoint put: Kafka may have taken them, or not.
        self._unconfirmed: defaultdict[int, set[bytes]] = defaultdict(set)

    def collect(self, state: PartitionState) -> Checkpoint | None:
        """Collect what no confirmed checkpoint includes; None if the position has not moved since the last one."""
        self.fail(state.partition)
        position = state.position
        if position is None or position == state.written:
            return None
        changes = state.changes()
        closed, written = self.updates(state, changes)
        checkpoint = Checkpoint(
            partition=state.partition,
            position=position,
            updates=written,
            dead_letters=changes.dead_letters,
            windows=[
                *self._window_entries(state, changes, closed, position),
                *self._windows_of_forgotten(state, changes),
            ],
            assets=_asset_entries(state, changes, position),
        )
        self._in_flight[state.partition] = checkpoint, changes
        return checkpoint

    def confirm(self, state: PartitionState, checkpoint: Checkpoint) -> None:
        """Settle a checkpoint that Kafka and the tables hold."""
        in_flight = self._in_flight.get(checkpoint.partition)
        if in_flight is None or in_flight[0] is not checkpoint:
            return  # the state was dropped meanwhile: it starts from the tables, which hold this checkpoint
        del self._in_flight[checkpoint.partition]
        self._unconfirmed[checkpoint.partition].difference_update(window.key for window in checkpoint.windows)
        state.settle(in_flight[1], checkpoint.position)

    def fail(self, partition: int) -> None:
        """Settle the partition's checkpoint in flight, if any, as one that Kafka may have taken, or not."""
        in_flight = self._in_flight.pop(partition, None)
        if in_flight is not None:
            self._unconfirmed[partition].update(entry.key for entry in in_flight[0].windows if entry.value is not None)

    def clear(self) -> None:
        """Forget what is in flight or unconfirmed: the tables are read from Kafka anew."""
        self._in_flight.clear()
        self._unconfirmed.clear()

    def updates(self, state: PartitionState, changes: Changes) -> tuple[Windows, list[tuple[bytes, bytes]]]:
        """Closed windows; and updates of them, and of lifetimes and open windows of the assets that changed."""
        fleet, written = state.fleet, list[tuple[bytes, bytes]]()
        closed = views.concatenated(fleet, list(changes.closed))
        if len(closed):
            readings = views.read(fleet, closed, closed=True)
            written += updates(readings, fleet.ids, fleet.ended, closed=True)
        readings = current(fleet, changes.slots)
        return closed, written + updates(readings, fleet.ids, fleet.ended)

    def _window_entries(self, state: PartitionState, changes: Changes, closed: Windows, position: int) -> list[Entry]:
        """Closed windows to put, and those that the tables keep no longer because of them."""
        unconfirmed = self._unconfirmed[state.partition]
        puts: dict[bytes, int] = {}
        gone: list[bytes] = []
        for slot, size_us, index, starts_us in views.by_asset_and_size(closed):
            asset_id, size_s = state.fleet.ids[slot], size_us // 1_000_000
            if asset_id in changes.forgotten:
                continue
            keep, prefix = self._kept_windows.of(size_s), size_prefix(asset_id, size_s)
            # Of more windows than are kept the first are not put: nobody has them, unless some are unconfirmed.
            new = slice(None if unconfirmed else -keep, None)
            keys = [window_key(prefix, start_us) for start_us in starts_us[new]]
            puts.update(zip(keys, index[new], strict=True))
            old = self._tables.windows(state.partition, prefix)
            for key in sorted({*old, *keys})[:-keep] if old or unconfirmed else ():
                puts.pop(key, None)
                if key in old or key in unconfirmed:
                    gone.append(key)
        put = sorted((i, key) for key, i in puts.items())
        at = np.array([i for i, _ in put], np.int64)
        values = state.snapshots.dump_windows(closed, at)
        entries = list(map(Entry, (key for _, key in put), values, closed.seq[at].tolist()))
        return entries + [Entry(key, None, position) for key in sorted(gone)]

    def _windows_of_forgotten(self, state: PartitionState, changes: Changes) -> Iterator[Entry]:
        """Deletions of all closed windows of assets that are gone."""
        for asset_id, offset in sorted(changes.forgotten.items()):
            prefix = asset_prefix(asset_id)
            unconfirmed = {key for key in self._unconfirmed[state.partition] if key.startswith(prefix)}
            for key in sorted({*self._tables.windows(state.partition, prefix), *unconfirmed}):
                yield Entry(key, None, offset)


def _asset_entries(state: PartitionState, changes: Changes, position: int) -> list[Entry]:
    """Deletions of assets that are gone, states of those that changed, and the partition's position, last."""
    fleet, slots = state.fleet, changes.slots
    gone = [Entry(asset_id.encode(), None, offset) for asset_id, offset in sorted(changes.forgotten.items())]
    keys = [fleet.ids[slot].encode() for slot in slots.tolist()]
    states = map(Entry, keys, state.snapshots.dump_all(slots), fleet.integers.applied_offset[slots].tolist())
    marker = Entry(MARKER_KEY, Marker(position, state.layouts).dump(), position)
    return [*gone, *states, marker]
