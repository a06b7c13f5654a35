"""Messages that the processor failed on though no rule refuses them: a defect of the program that a few rows meet.

Offsets before which something failed are suspect: what is read there again is applied message by message, so that the
message that fails is known. Of that message the rows that fail by themselves are condemned; if none does, all of it is.
What is condemned goes to the dead-letter topic; its neighbours count. The record is kept in memory: a restarted process
fails once more and finds the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from stream_app.wire.batch import Batch, Fetch, Reject
from stream_app.wire.decode import Decoder


@dataclass(frozen=True, slots=True)
class Condemned:
    """Rows of a message (none named: the whole message) that are not applied, and why."""

    rows: frozenset[int]
    reason: str


class Quarantine:
    """Record of what is suspect and of what is condemned, by partition and offset."""

    def __init__(self) -> None:
        self._suspect_until: dict[int, int] = {}
        self._condemned: defaultdict[int, dict[int, Condemned]] = defaultdict(dict)

    def suspects(self, fetch: Fetch) -> bool:
        """Whether something in the fetch may have failed before: it is then to be applied message by message."""
        return fetch.start < self._suspect_until.get(fetch.partition, 0)

    def suspect(self, partition: int, until: int) -> None:
        """Record that something before offset ``until`` failed."""
        self._suspect_until[partition] = max(self._suspect_until.get(partition, 0), until)

    def condemn(self, message: Fetch, condemned: Condemned) -> None:
        """Record what of a single message fails."""
        self.suspect(message.partition, message.end)  # a fetch with it is never applied in one go again
        self._condemned[message.partition][message.offsets[0]] = condemned

    def condemned(self, message: Fetch) -> Condemned | None:
        """What of a single message is condemned."""
        return self._condemned[message.partition].get(message.offsets[0])


def spared(decoder: Decoder, message: Fetch, condemned: Condemned) -> Batch:
    """Decode a message; what is condemned in it becomes a reject."""
    note = f"the processor failed on this ({condemned.reason}): report it, and send it again when that is mended"
    if not condemned.rows:
        none = np.zeros(0, np.int64)
        return Batch((), none, none, none, none, none, {}, rejects=(Reject(0, None, "unexpected", note),))
    batch = decoder.decode(message)
    kept = np.flatnonzero(~np.isin(batch.row, list(condemned.rows)))
    reject = Reject(0, tuple(sorted(condemned.rows)), "unexpected", note)
    return replace(batch.only(kept), rejects=(*batch.rejects, reject))
