"""The command side: fetches in, checkpoints out. No I/O: what is to be written is handed over as bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from schemas.asset import Duplicates
from stream_app.domain.admission import MAX_AHEAD_S
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.errors import DomainError
from stream_app.domain.snapshot import Marker
from stream_app.domain.source import Source
from stream_app.domain.state import Fleet
from stream_app.usecases.admission import AdmissionRules
from stream_app.usecases.checkpoints import Checkpoints, all_updates
from stream_app.usecases.dead_letters import dead_letter, leap_letter
from stream_app.usecases.emission import Emission
from stream_app.usecases.partition_state import PartitionState
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, RowTranslator, Tables, WholeCheckpoint
from stream_app.usecases.quarantine import Condemned, Quarantine, spared
from stream_app.usecases.refused_counts import refused_in
from stream_app.usecases.rejected_rows import Refused
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.decode import Decoder
from stream_app.wire.encode.update_list import UpdateList
from stream_app.wire.encode.updates import NESTED, UpdateForm

_NO_RULES: Final = AdmissionRules()


@dataclass(frozen=True, slots=True)
class Applied:
    """The state includes the fetch now."""

    rows: int
    rejected: int
    refused: tuple[Refused, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The state included all of the fetch before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages before the fetch are missing: seek back to ``position``. The partition's state was dropped."""

    position: int


def _together(parts: Sequence[Applied]) -> Applied:
    refused = tuple(each for part in parts for each in part.refused)
    return Applied(sum(part.rows for part in parts), sum(part.rejected for part in parts), refused)


class Ingest:
    """Applies fetches to the states of partitions and turns what changed into checkpoints.

    Parameters
    ----------
    tables
        State as of the last checkpoints; the state of a partition starts from it.
    catalogue
        The metrics.
    window_sizes_s
        Default window sizes [s], ascending.
    lateness_s
        How far behind its asset's newest stamp a row may be [s]; None: each asset's own order teaches it.
    max_ahead_s, duplicates
        How far a stamp may be ahead of its record's Kafka time [s]; whether a row that repeats a waiting one counts.
    kept_windows
        Closed windows to keep.
    emit_interval_s
        Time between two updates of an asset's open windows and lifetime [s]; 0: they are in each checkpoint.
    update_form
        Form of the updates.
    admission, translator
        What holds for new assets, and what reads rows of assets whose spec names a profile.
    clock
        Seconds, monotonic.
    """

    #: The topic of the rows, which the markers name; to be set before the first fetch.
    source: Source | None = None

    def __init__(
        self,
        *,
        tables: Tables,
        catalogue: Catalogue,
        window_sizes_s: tuple[int, ...],
        kept_windows: KeptWindows,
        lateness_s: float | None = 0,
        max_ahead_s: float = MAX_AHEAD_S,
        duplicates: Duplicates = "count",
        emit_interval_s: float = 0,
        update_form: UpdateForm = NESTED,
        admission: AdmissionRules = _NO_RULES,
        translator: RowTranslator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables, self._catalogue = tables, catalogue
        self._sizes_s, self._lateness_s = window_sizes_s, lateness_s
        self._max_ahead_s: float = max_ahead_s
        self._duplicates: Duplicates = duplicates
        self._states: dict[int, PartitionState] = {}
        self._emit_interval_s, self._clock = emit_interval_s, clock
        self._form, self._admission, self._translator = update_form, admission, translator
        self._checkpoints = Checkpoints(tables, kept_windows, update_form, clock)
        self._quarantine = Quarantine()

    def drop(self) -> None:
        """Forget the state of all partitions: start again from the tables."""
        self._states.clear()
        self._checkpoints.clear()

    def release(self, partition: int) -> None:
        """Forget the state of one partition: start again from the tables."""
        self._states.pop(partition, None)
        self._checkpoints.fail(partition)

    def position(self, partition: int) -> int | None:
        """Next source offset to apply; None while nothing of the partition was ever applied."""
        state = self._states.get(partition)
        if state is not None:
            return None if state.position is None else state.position - state.shift
        marker = self._tables.asset(partition, MARKER_KEY)
        return None if marker is None else Marker.load(marker).position

    def apply(self, fetch: Fetch) -> Applied | AlreadyApplied | Gap:
        """Apply a fetch.

        Positions move contiguously: a fetch that begins above the position is a gap and never applied. If anything is
        raised the partition's state is gone, as rows may be half applied: seek back to :meth:`position` and read again.
        What failed is then found, row by row, and goes to the dead letters.

        Raises
        ------
        DomainError
            The stored state cannot be read: reading again does not help.
        """
        state = self._states.get(fetch.partition)
        if state is None:
            state = self._states[fetch.partition] = self._new_state(fetch.partition)
        if state.position is None:
            state.position = fetch.start
        fetch = fetch.moved(state.shift)
        if fetch.start > state.position:
            self.release(fetch.partition)
            position = self.position(fetch.partition)
            return Gap(state.position if position is None else position)
        if fetch.end <= state.position:
            return AlreadyApplied()
        try:
            if self._quarantine.suspects(fetch):
                applied = self._apply_by_message(state, fetch)
            else:
                applied = self._apply_whole(state, fetch)
        except Exception:
            self.release(fetch.partition)
            raise
        state.position = fetch.end
        return applied

    def checkpoint(self, partition: int) -> WholeCheckpoint | None:
        """Collect what changed since the last written checkpoint in one go; as :meth:`collect` otherwise."""
        slices, updates = self.collect(partition), list[UpdateList]()
        while True:
            try:
                updates.append(next(slices))
            except StopIteration as end:
                checkpoint: Checkpoint | None = end.value
                if checkpoint is None:
                    return None
                parts = checkpoint.dead_letters, checkpoint.windows, checkpoint.assets
                whole = WholeCheckpoint(partition, checkpoint.position, *parts, UpdateList.joined(updates))
                return self._checkpoints.hand_out(whole)

    def collect(self, partition: int) -> Generator[UpdateList, None, Checkpoint | None]:
        """Collect what changed since the last written checkpoint, slice by slice; None if nothing did.

        Each slice hands over its updates, in order, so that nobody needs to hold the texts of all. Nothing may be
        applied to the partition until the last slice, but from then on; if its state is dropped meanwhile the result
        is None. Unless :meth:`written` confirms the checkpoint, the next one includes all of it again. If anything is
        raised the partition's state is gone, as in :meth:`apply`.
        """
        state = self._states.get(partition)
        if state is None:
            return None
        try:
            checkpoint = yield from self._checkpoints.collect(state)
        except Exception:
            if self._states.get(partition) is state:
                self.release(partition)
                self._quarantine.suspect(partition, state.position or 0)
            raise
        if checkpoint is None or self._states.get(partition) is not state:
            return None
        return self._checkpoints.hand_out(checkpoint)

    def written(self, checkpoint: Checkpoint) -> None:
        """Confirm a checkpoint: it is in Kafka and in the tables."""
        self._checkpoints.confirm(self._states.get(checkpoint.partition), checkpoint)

    def next_update_s(self, partition: int) -> float | None:
        """When an update that is held back is to be published, by a checkpoint, on the clock; None: there is none.

        The partition's state is read from the tables if these say that there is one.

        Raises
        ------
        DomainError
            The partition's marker cannot be read.
        """
        state = self._states.get(partition)
        if state is None:
            marker = self._tables.asset(partition, MARKER_KEY)
            if marker is None or Marker.load(marker).held_from is None:
                return None
            state = self._states[partition] = self._new_state(partition)
        return state.next_update_s()

    def _new_state(self, partition: int, rules: AdmissionRules | None = None) -> PartitionState:
        ahead_s, duplicates = self._max_ahead_s, self._duplicates
        fleet = Fleet(self._catalogue, self._sizes_s, self._lateness_s, max_ahead_s=ahead_s, duplicates=duplicates)
        emission = Emission(self._emit_interval_s, self._clock)
        state = PartitionState(partition, fleet, self._tables, emission, rules or self._admission)
        state.source, state.translation.translator = self.source, self._translator
        return state

    def _apply_whole(self, state: PartitionState, fetch: Fetch) -> Applied:
        """Apply a fetch in one go; if that fails, its messages are suspect."""
        try:
            parts = [self._apply(state, part, batch) for part, batch in state.translation.parts(fetch)]
        except DomainError:
            raise  # the stored state cannot be read, whatever the rows are
        except Exception:
            self._quarantine.suspect(fetch.partition, fetch.end)
            raise
        return _together(parts)

    def _apply_by_message(self, state: PartitionState, fetch: Fetch) -> Applied:
        """Apply a fetch message by message and read the metrics after each; if that fails, the message is condemned."""
        parts = []
        for message in map(fetch.one, range(len(fetch.offsets))):
            condemned = self._quarantine.condemned(message)
            try:
                decoder = state.translation.decoder
                batch = decoder.decode(message) if condemned is None else spared(decoder, message, condemned)
                parts.append(self._apply(state, message, batch))
                all_updates(state, state.changes(), self._form)
            except DomainError:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                self._quarantine.condemn(message, Condemned(self._failing_rows(message), reason))
                raise
        return _together(parts)

    def _apply(self, state: PartitionState, fetch: Fetch, batch: Batch) -> Applied:
        """Apply a decoded fetch; what is rejected in it becomes dead letters, unless the state included it before."""
        known = state.position or 0
        rejects = [r for r in [*batch.rejects, *state.apply(batch)] if fetch.offsets[r.message] >= known]
        leaps = state.taken_leaps()
        if not rejects and not leaps:
            return Applied(len(batch), 0, ())
        in_topic = fetch.moved(-state.shift)  # a dead letter names the offset in the topic
        state.dead_letters += [dead_letter(in_topic, reject) for reject in rejects]
        state.dead_letters += [
            leap_letter(fetch.topic, fetch.partition, leap.offset - state.shift, asset_id, leap)
            for asset_id, leap in leaps
        ]
        refused = refused_in(state, fetch, batch, rejects, leaps, self._catalogue.rows_at)
        return Applied(len(batch), sum(each.rows for each in refused), refused)

    def _failing_rows(self, message: Fetch) -> frozenset[int]:
        """Rows of a message that fail by themselves, each tried on a state that is then thrown away."""
        try:
            batch = Decoder().decode(message)
        except Exception:
            return frozenset()
        failing = set()
        for i in range(len(batch)):
            state = self._new_state(message.partition, _NO_RULES)
            try:
                state.apply(replace(batch.only(np.array([i])), controls=()))
                all_updates(state, state.changes(), self._form)
            except DomainError:
                raise
            except Exception:
                failing.add(int(batch.row[i]))
        return frozenset(failing)
