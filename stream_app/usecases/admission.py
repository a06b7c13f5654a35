"""Which new assets a partition takes: a bounded number in all and per minute, and with a rule its own keys alone.

A device that puts a counter into its id would else fill the memory of everybody's worker. The minute is that of the
record's own Kafka timestamp, so a replay of the log decides as the first reading did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np

from schemas.rejected import RejectCode
from stream_app.columns.arrays import IntArray
from stream_app.domain.asset_counts import AssetCounts
from stream_app.wire.batch import Batch, Reject

_MINUTE_MS: Final = 60_000
#: Minutes whose new assets are counted: producers with different clocks, or a site that sends its backlog.
_MINUTES: Final = 8


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What holds for new assets.

    Parameters
    ----------
    in_all
        Assets of a partition.
    per_minute
        New assets of a partition whose first records have Kafka timestamps of one minute.
    home
        Partition of a key, where rows in any other are refused; None: producers choose partitions as they like.
    """

    in_all: int = sys.maxsize
    per_minute: int = sys.maxsize
    home: Callable[[bytes], int] | None = None


class Refused(NamedTuple):
    """Why a record of an asset is not applied."""

    code: RejectCode
    reason: str


#: Of what was read before, and is so no longer: it was told then.
READ_BEFORE: Final = Refused(
    "too_many_assets", "the record was refused, or its asset forgotten, when it was read first"
)


class Admission:
    """New assets of one partition.

    Parameters
    ----------
    stored
        Assets in the tables.
    counts
        As of the position from which the log is read on; None: they were not noted.
    """

    def __init__(self, rules: AdmissionRules, partition: int, stored: int, counts: AssetCounts | None) -> None:
        self._rules, self._partition = rules, partition
        self._in_all = stored
        self._new = dict(counts.new) if counts else {}
        self._full: tuple[int, Refused] | None = None  # a minute that takes no more: a flood is told the same thing
        if counts and self._new:
            # A checkpoint that a crash cut short has put these: they were admitted, and will not be new once more.
            minute = next(reversed(self._new))
            self._new[minute] += max(0, stored - counts.in_all)

    def counts(self) -> AssetCounts:
        """The counts as they are now."""
        return AssetCounts(self._in_all, tuple(self._new.items()))

    def misplaced(self, asset_id: str) -> Refused | None:
        """Why records of an asset do not belong into the partition, if so."""
        rules = self._rules
        if rules.home is None or (home := rules.home(asset_id.encode())) == self._partition:
            return None
        reason = (
            f"asset {asset_id!r} belongs into partition {home}, this is partition {self._partition}: let the producer "
            "choose partitions by murmur2, as Java's does (librdkafka: partitioner=murmur2_random), or set "
            "STREAM_KAFKA__PARTITIONER=any"
        )
        return Refused("wrong_partition", reason)

    def admit(self, timestamp_ms: int) -> Refused | None:
        """Count a new asset whose first record has this Kafka timestamp (-1: none); or say why it is refused."""
        if self._in_all >= self._rules.in_all:
            return self._too_many(f"has {self._in_all} assets, as many as STREAM_MAX_ASSETS allows")
        if timestamp_ms >= 0:
            minute = timestamp_ms // _MINUTE_MS
            count = self._new.get(minute, 0)
            if count >= self._rules.per_minute:
                if self._full is not None and self._full[0] == minute:
                    return self._full[1]
                name = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
                detail = f"took {count} new assets of {name}, as many as STREAM_MAX_NEW_ASSETS_PER_MIN allows"
                self._full = minute, self._too_many(detail)
                return self._full[1]
            self._new[minute] = count + 1
            if len(self._new) > _MINUTES:
                del self._new[next(iter(self._new))]
        self._in_all += 1
        return None

    def _too_many(self, detail: str) -> Refused:
        reason = (
            f"partition {self._partition} {detail}: look for a producer whose asset ids change from row to row, and "
            "delete its assets (stream-app forget --prefix); for a fleet that is so large raise the setting"
        )
        return Refused("too_many_assets", reason)

    def forgotten(self) -> None:
        """Take an asset out of the count."""
        self._in_all -= 1


def refused_of(
    batch: Batch,
    rows: IntArray,
    admitted: Callable[[str, int, int], Refused | None],
) -> tuple[IntArray, list[Reject]]:
    """Which rows of a batch are refused, and why.

    Parameters
    ----------
    rows
        Rows of assets that are not loaded, ascending.
    admitted
        Takes an asset by its first record (id, ``seq``, Kafka timestamp), or says why not.
    """
    messages, first = np.unique(batch.message[rows], return_index=True)  # a message is of one asset
    numbers, seqs = batch.asset[rows[first]].tolist(), batch.offset[rows[first]].tolist()
    bounds = [*first.tolist(), len(rows)]
    is_refused, known, rejects = np.zeros(len(rows), np.bool_), set[int](), list[Reject]()
    for i, message in enumerate(messages.tolist()):
        if numbers[i] in known:
            continue
        record_ms = int(batch.record_ms[message]) if len(batch.record_ms) else -1
        refused = admitted(batch.assets[numbers[i]], seqs[i], record_ms)
        if refused is None:
            known.add(numbers[i])
            continue
        part = slice(bounds[i], bounds[i + 1])
        is_refused[part] = True
        rejects.append(Reject(message, tuple(sorted(batch.row[rows[part]].tolist())), *refused))
    return rows[is_refused], rejects
