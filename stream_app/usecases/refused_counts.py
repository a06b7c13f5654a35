"""What a fetch had refused, by asset, for the counters and the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_app.domain.ingestion import Leap
from stream_app.usecases import time_refusals
from stream_app.usecases.partition_state import PartitionState
from stream_app.usecases.rejected_rows import Refused
from stream_app.wire.batch import Batch, Fetch, Reject
from stream_app.wire.decode.keys import asset_id as asset_of_key

#: Codes of rows that are among those of a batch, and are not applied.
SOUND_CODES: Final = frozenset({"late", "implausible_time", "too_many_assets", "wrong_partition"})


def refused_in(
    state: PartitionState,
    fetch: Fetch,
    batch: Batch,
    rejects: Sequence[Reject],
    leaps: Sequence[tuple[str, Leap]],
    rows_at: int,
) -> tuple[Refused, ...]:
    """What was rejected, by asset, and how many rows each had before the fetch; ``rows_at`` is the catalogue's."""
    numbers, counts = np.unique(batch.asset, return_counts=True)
    new = Counter({batch.assets[n]: count for n, count in zip(numbers.tolist(), counts.tolist(), strict=True)})
    found = [
        (asset_of_key(fetch.keys[reject.message]), 1 if reject.rows is None else len(reject.rows), reject)
        for reject in rejects
    ]
    for asset_id, rows, reject in found:
        if asset_id is not None and reject.code in SOUND_CODES:
            new[asset_id] -= rows
    known = {asset_id for asset_id, _, _ in found if asset_id is not None} | {asset_id for asset_id, _ in leaps}
    before = {asset_id: max(0, state.rows(asset_id, rows_at) - new[asset_id]) for asset_id in known}
    refused = [
        Refused(asset_id, reject.code, rows, reject.reason, before.get(asset_id or "", 0))
        for asset_id, rows, reject in found
    ]
    for asset_id, leap in leaps:
        reason = time_refusals.leap(leap.newest_us, leap.time_us)
        refused.append(Refused(asset_id, "implausible_time", 1, reason, before[asset_id]))
    return tuple(refused)
