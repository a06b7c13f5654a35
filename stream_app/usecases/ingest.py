"""The command side: fetches in, checkpoints out. No I/O: what is to be written is handed over as bytes.

The order of a checkpoint, and what makes it safe, is described at :class:`stream_app.usecases.ports.Checkpoint`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from stream_app.domain import views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.snapshot import Marker
from stream_app.domain.state import APPLIED, Fleet
from stream_app.domain.views import Windows
from stream_app.usecases.asset_views import current
from stream_app.usecases.dead_letters import dead_letter
from stream_app.usecases.partition_state import HotPartition
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, DeadLetter, Decoder, Entry, Tables
from stream_app.usecases.quarantine import Quarantine
from stream_app.usecases.window_keys import asset_prefix, size_prefix, window_key
from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.encode.updates import updates


@dataclass(frozen=True, slots=True)
class Retention:
    """Windows of an asset that the tables keep: how many closed ones per size [s], and of sizes not named."""

    keep: Mapping[int, int]
    default: int

    def of(self, size_s: int) -> int:
        """Closed windows of a size to keep."""
        return self.keep.get(size_s, self.default)


@dataclass(frozen=True, slots=True)
class Applied:
    """The fetch is in the hot state."""

    rows: int
    rejected: int


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """All of the fetch was applied before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages before the fetch are missing: seek back to ``position``. The hot state was dropped."""

    position: int


@dataclass(slots=True)
class _Open:
    """A hot partition, and what its next checkpoint writes beside the state."""

    hot: HotPartition
    written: int | None
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a checkpoint that is being written includes."""

    checkpoint: Checkpoint
    dirty: frozenset[int]
    forgotten: Mapping[str, int]
    closed: int
    dead_letters: int


class Ingest:
    """Applies fetches to hot state per partition and turns what changed into checkpoints.

    Parameters
    ----------
    decoder
        Turns messages into columns.
    tables
        State as of the last checkpoints; hot state starts from it.
    catalogue
        The metrics.
    window_sizes_s
        Default window sizes [s], ascending.
    lateness_s
        How far behind its asset's newest stamp a row may be [s].
    retention
        Closed windows to keep.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        tables: Tables,
        catalogue: Catalogue,
        window_sizes_s: tuple[int, ...],
        retention: Retention,
        lateness_s: float = 0,
    ) -> None:
        self._decoder, self._tables = decoder, tables
        self._catalogue = catalogue
        self._sizes_s, self._lateness_s, self._retention = window_sizes_s, lateness_s, retention
        self._quarantine = Quarantine()
        self._open: dict[int, _Open] = {}
        self._taken: dict[int, _Taken] = {}
        #: Keys of closed windows, by partition, that a checkpoint put which was not confirmed: in Kafka, or not.
        self._doubtful: defaultdict[int, set[bytes]] = defaultdict(set)

    def drop(self) -> None:
        """Forget all hot state: start again from the tables."""
        self._open.clear()
        self._taken.clear()
        self._doubtful.clear()

    def release(self, partition: int) -> None:
        """Forget one partition's hot state."""
        self._open.pop(partition, None)
        self._untake(partition)

    def _untake(self, partition: int) -> None:
        taken = self._taken.pop(partition, None)
        if taken is not None:
            self._doubtful[partition].update(w.key for w in taken.checkpoint.windows if w.value is not None)

    def position(self, partition: int) -> int | None:
        """Next source offset to apply; None while nothing of the partition was ever applied."""
        open_ = self._open.get(partition)
        if open_ is not None:
            return open_.hot.position
        marker = self._tables.asset(partition, MARKER_KEY)
        return None if marker is None else Marker.load(marker).position

    def apply(self, fetch: Fetch) -> Applied | AlreadyApplied | Gap:
        """Apply a fetch.

        Positions move contiguously: a fetch that begins above the position is a gap and never applied. If anything is
        raised the partition's hot state is gone, as its rows may be half applied: seek back to :meth:`position` and
        read again; what failed is then found out, row by row, and left to the dead-letter topic.
        """
        open_ = self._open.get(fetch.partition)
        if open_ is None:
            hot = self._hot(fetch.partition)
            open_ = self._open[fetch.partition] = _Open(hot, hot.position)
        hot = open_.hot
        if hot.position is None:
            hot.position = fetch.start
        if fetch.start > hot.position:
            self.release(fetch.partition)
            position = self.position(fetch.partition)
            return Gap(hot.position if position is None else position)
        if fetch.end <= hot.position:
            return AlreadyApplied()
        careful = self._quarantine.suspects(fetch)
        applied = Applied(0, 0)
        for part in map(fetch.one, range(len(fetch.offsets))) if careful else (fetch,):
            try:
                some = self._apply(open_, part)
                if careful:
                    self._updates(hot)
            except Exception as error:
                self.release(fetch.partition)
                if careful:
                    self._quarantine.condemn(part, error, self._decoder.decode, partial(self._try, fetch.partition))
                else:
                    self._quarantine.suspect(fetch.partition, fetch.end)
                raise
            applied = Applied(applied.rows + some.rows, applied.rejected + some.rejected)
        hot.position = fetch.end
        return applied

    def _apply(self, open_: _Open, part: Fetch) -> Applied:
        hot, known = open_.hot, open_.hot.position or 0
        batch = self._quarantine.read(part, self._decoder.decode)
        rejects = [r for r in [*batch.rejects, *hot.apply(batch)] if part.offsets[r.message] >= known]
        open_.dead_letters += [dead_letter(part, reject) for reject in rejects]
        return Applied(len(batch), sum(1 if reject.rows is None else len(reject.rows) for reject in rejects))

    def _try(self, partition: int, batch: Batch) -> None:
        """Apply a batch to a state of no consequence, and read the metrics."""
        hot = self._hot(partition)
        hot.apply(batch)
        self._updates(hot)

    def _hot(self, partition: int) -> HotPartition:
        """Begin hot state from the tables."""
        return HotPartition(partition, Fleet(self._catalogue, self._sizes_s, self._lateness_s), self._tables)

    def checkpoint(self, partition: int) -> Checkpoint | None:
        """Collect what changed since the last written checkpoint; None if nothing did.

        Until :meth:`written` confirms it, the next call includes it all again. If anything is raised the hot state is
        gone, as in :meth:`apply`.
        """
        self._untake(partition)
        open_ = self._open.get(partition)
        if open_ is None or open_.hot.position is None or open_.hot.position == open_.written:
            return None
        hot, position = open_.hot, open_.hot.position
        try:
            closed, updates = self._updates(hot)
        except Exception:
            self.release(partition)
            self._quarantine.suspect(partition, position)
            raise
        codes = np.array(sorted(hot.dirty), np.int64)
        gone = [Entry(asset_id.encode(), None, offset) for asset_id, offset in sorted(hot.forgotten.items())]
        keys = [hot.fleet.ids[code].encode() for code in codes.tolist()]
        states = map(Entry, keys, hot.snapshots.dump_all(codes), hot.fleet.ints[codes, APPLIED].tolist())
        marker = Entry(MARKER_KEY, Marker(position, hot.layouts).dump(), position)
        checkpoint = Checkpoint(
            partition=partition,
            position=position,
            updates=updates,
            dead_letters=tuple(open_.dead_letters),
            windows=self._window_entries(partition, position, hot, closed),
            assets=[*gone, *states, marker],
        )
        self._taken[partition] = _Taken(
            checkpoint, frozenset(hot.dirty), dict(hot.forgotten), len(hot.closed), len(open_.dead_letters)
        )
        return checkpoint

    def _updates(self, hot: HotPartition) -> tuple[Windows, list[tuple[bytes, bytes]]]:
        """Closed windows; and updates of them, and of lifetimes and open windows of what changed."""
        fleet, written = hot.fleet, list[tuple[bytes, bytes]]()
        closed = views.concatenated(fleet, hot.closed)
        if len(closed):
            readings = views.read(fleet, closed, closed=True)
            written += updates(self._catalogue, readings, fleet.ids, fleet.ended, closed=True)
        readings = current(fleet, np.array(sorted(hot.dirty), np.int64))
        return closed, written + updates(self._catalogue, readings, fleet.ids, fleet.ended)

    def written(self, checkpoint: Checkpoint) -> None:
        """Confirm a checkpoint: it is in Kafka and in the tables. Nothing may have been applied since it was taken."""
        taken = self._taken.pop(checkpoint.partition, None)
        open_ = self._open.get(checkpoint.partition)
        if open_ is None or taken is None or taken.checkpoint is not checkpoint:
            return  # the hot state was dropped meanwhile: it starts from the tables, which have this checkpoint
        self._doubtful[checkpoint.partition].difference_update(window.key for window in checkpoint.windows)
        hot = open_.hot
        hot.dirty -= taken.dirty
        for asset_id in taken.forgotten:
            del hot.forgotten[asset_id]
        del hot.closed[: taken.closed]
        del open_.dead_letters[: taken.dead_letters]
        open_.written = checkpoint.position

    def _window_entries(self, partition: int, position: int, hot: HotPartition, closed: Windows) -> list[Entry]:
        """Closed windows to put, and the ones that they push out of retention."""
        doubtful = self._doubtful[partition]
        puts: dict[bytes, int] = {}
        gone: list[bytes] = []
        for code, size_us, index, starts_us in views.by_asset_and_size(closed):
            asset_id, size_s = hot.fleet.ids[code], size_us // 1_000_000
            if asset_id in hot.forgotten:
                continue
            keep, prefix = self._retention.of(size_s), size_prefix(asset_id, size_s)
            # Of more windows than are kept the first are not written, and are known to nobody unless in doubt.
            new = slice(None if doubtful else -keep, None)
            keys = [window_key(prefix, start_us) for start_us in starts_us[new]]
            puts.update(zip(keys, index[new], strict=True))
            old = self._tables.windows(partition, prefix)
            for key in sorted({*old, *keys})[:-keep] if old or doubtful else ():
                puts.pop(key, None)
                if key in old or key in doubtful:
                    gone.append(key)
        put = sorted((i, key) for key, i in puts.items())
        at = np.array([i for i, _ in put], np.int64)
        keys = [key for _, key in put]
        entries = list(map(Entry, keys, hot.snapshots.dump_windows(closed, at), closed.seq[at].tolist()))
        entries += [Entry(key, None, position) for key in sorted(gone)]
        for asset_id, offset in sorted(hot.forgotten.items()):
            prefix = asset_prefix(asset_id)
            own = {key for key in doubtful if key.startswith(prefix)}
            windows = sorted({*self._tables.windows(partition, prefix), *own})
            entries += [Entry(key, None, offset) for key in windows]
        return entries
