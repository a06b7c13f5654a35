"""Metrics of a file without a broker: a worker's messages and code, from the first row to the last update."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel

from schemas.asset import AssetSpec, window_size_s
from schemas.control import EndOfUpload, SpecControl
from schemas.metrics import Window
from schemas.rejected import HEADER_PREFIX
from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.ingest import Applied, Ingest
from stream_app.usecases.ports import NoTables, RowMessage
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Fetch
from stream_app.wire.encode.updates import LIFETIME_NAME

#: Messages that are applied at a time.
_FETCH_MESSAGES = 64


class _Heading(BaseModel):
    """Which asset and window an update is about; its metrics are left unread."""

    asset_id: str
    window: Window


@dataclass(frozen=True, slots=True)
class ComputedUpdate:
    """A metrics update of an asset and window; ``json`` is a :class:`schemas.metrics.MetricsUpdate` as published."""

    asset_id: str
    window: Window
    json: bytes


@dataclass(frozen=True, slots=True)
class Computed:
    """Metrics of a file.

    Parameters
    ----------
    updates
        By asset: its lifetime, then its windows ascending by size and start; all final. Each as it is published, in
        JSON, and parsed.
    rows, rejected_rows
        Rows applied, and rows left out.
    reason
        Why the first of those was left out.
    """

    updates: list[ComputedUpdate]
    rows: int
    rejected_rows: int
    reason: str | None


def compute(
    messages: Iterable[tuple[str, RowMessage]], spec: AssetSpec, *, window_sizes_s: tuple[int, ...]
) -> Computed:
    """Compute all metrics of assets that begin and end with the messages.

    Parameters
    ----------
    messages
        Asset id and message, each asset's in event-time order.
    spec
        How all of the assets are read.
    window_sizes_s
        Window sizes [s], ascending, when the spec names none.
    """
    catalogue = Catalogue()
    ingest = Ingest(
        tables=NoTables(),
        catalogue=catalogue,
        window_sizes_s=window_sizes_s,
        kept_windows=KeptWindows({}, 1),
    )
    rows = rejected_rows = offset = 0
    records = _records(messages, spec)
    while some := list(islice(records, _FETCH_MESSAGES)):
        applied = ingest.apply(_fetch(some, offset))
        if not isinstance(applied, Applied):
            msg = f"a file's messages are contiguous, yet at {offset} they gave {applied}"
            raise AssertionError(msg)
        offset += len(some)
        rows, rejected_rows = rows + applied.rows, rejected_rows + applied.rejected
    checkpoint = ingest.checkpoint(0)
    if checkpoint is None:
        return Computed([], 0, 0, None)
    updates = [_headed(update.value) for update in checkpoint.updates]
    reasons = ((dict(letter.headers)[HEADER_PREFIX + "message"] or b"").decode() for letter in checkpoint.dead_letters)
    return Computed(sorted(updates, key=_order), rows, rejected_rows, next(reasons, None))


def _records(messages: Iterable[tuple[str, RowMessage]], spec: AssetSpec) -> Iterator[tuple[bytes, bytes]]:
    """Key and value: each asset's spec before its rows, and its end after all rows."""
    rows: Counter[str] = Counter()
    for asset_id, message in messages:
        if asset_id not in rows:
            yield asset_id.encode(), SpecControl(asset_id=asset_id, spec=spec).model_dump_json().encode()
        rows[asset_id] += message.rows
        yield asset_id.encode(), message.value
    for asset_id, count in rows.items():
        yield asset_id.encode(), EndOfUpload(asset_id=asset_id, rows=count).model_dump_json().encode()


def _fetch(records: list[tuple[bytes, bytes]], offset: int) -> Fetch:
    n = len(records)
    return Fetch(
        topic="file",
        partition=0,
        start=offset,
        end=offset + n,
        offsets=range(offset, offset + n),
        keys=[key for key, _ in records],
        values=[value for _, value in records],
        timestamps_ms=[-1] * n,
        headers=[()] * n,
    )


def _headed(json: bytes) -> ComputedUpdate:
    heading = _Heading.model_validate_json(json)
    return ComputedUpdate(heading.asset_id, heading.window, json)


def _order(update: ComputedUpdate) -> tuple[str, int, str]:
    size = update.window.size
    return update.asset_id, 0 if size == LIFETIME_NAME else window_size_s(size), update.window.start
