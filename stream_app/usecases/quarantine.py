"""Messages that cannot be applied though nothing is wrong with them by any rule: a defect of ours, met by a few rows.

What fails is taken message by message when it is read again, so that the one that fails is known; of that one the rows
that fail by themselves are condemned, and all of it when none does. What is condemned goes to the dead-letter topic,
its neighbours count. Kept in memory: a restarted process finds out anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from stream_app.wire.batch import Batch, Fetch, Reject


class Quarantine:
    """What failed, by partition and offset."""

    def __init__(self) -> None:
        self._until: dict[int, int] = {}
        self._condemned: defaultdict[int, dict[int, tuple[frozenset[int], str]]] = defaultdict(dict)

    def suspects(self, fetch: Fetch) -> bool:
        """Whether something failed that may be in the fetch: then it is to be applied message by message."""
        return fetch.start < self._until.get(fetch.partition, 0)

    def suspect(self, partition: int, until: int) -> None:
        """Record that something before an offset failed."""
        self._until[partition] = max(self._until.get(partition, 0), until)

    def condemn(
        self, part: Fetch, error: Exception, decode: Callable[[Fetch], Batch], trial: Callable[[Batch], object]
    ) -> None:
        """Record that a single message failed; ``trial`` applies a batch to a state of no consequence."""
        rows = frozenset(_culprits(part, decode, trial))
        self._condemned[part.partition][part.offsets[0]] = rows, f"{type(error).__name__}: {error}"

    def read(self, part: Fetch, decode: Callable[[Fetch], Batch]) -> Batch:
        """Decode a part; what is condemned in it becomes a reject."""
        condemned = self._condemned.get(part.partition)
        if not condemned or not self.suspects(part) or part.offsets[0] not in condemned:
            return decode(part)
        rows, reason = condemned[part.offsets[0]]
        note = f"the processor failed on this ({reason}): report it, and send it again when that is mended"
        if not rows:
            none = np.zeros(0, np.int64)
            whole = Reject(0, None, "unexpected", note)
            return Batch((), none, none, none, none, none, {}, rejects=(whole,))
        batch = decode(part)
        kept = np.flatnonzero(~np.isin(batch.row, list(rows)))
        reject = Reject(0, tuple(sorted(rows)), "unexpected", note)
        return replace(batch.only(kept), rejects=(*batch.rejects, reject))


def _culprits(part: Fetch, decode: Callable[[Fetch], Batch], trial: Callable[[Batch], object]) -> Iterator[int]:
    """Rows of a message that fail by themselves."""
    try:
        batch = decode(part)
    except Exception:
        return
    for i in range(len(batch)):
        try:
            trial(replace(batch.only(np.array([i])), controls=()))
        except Exception:
            yield int(batch.row[i])
