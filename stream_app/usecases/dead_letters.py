"""What goes to the dead-letter topic for rows that are not applied."""

from __future__ import annotations

import numpy as np
import orjson

from schemas.columns import COLUMNS
from schemas.rejected import HEADER_PREFIX, RejectedRow
from stream_app.domain.ingestion import Leap
from stream_app.usecases.ports import DeadLetter
from stream_app.usecases.refused_rows import time_span
from stream_app.wire.batch import Fetch, Reject
from stream_app.wire.encode.updates import iso_times

_REQUIRED = frozenset(column.wire_name for column in COLUMNS if column.required)


def dead_letter(fetch: Fetch, reject: Reject) -> DeadLetter:
    """Original message, with headers that tell what is wrong, where it stood, and which of its rows are meant."""
    i = reject.message
    about = RejectedRow(
        code=reject.code,
        message=reject.reason,
        topic=fetch.topic,
        partition=fetch.partition,
        offset=int(fetch.offsets[i]),
        row=None if reject.rows is None else _positions(reject.rows),
        timestamp=int(fetch.timestamps_ms[i]),
    )
    return DeadLetter(fetch.keys[i], fetch.values[i], [*fetch.headers[i], *_headers(about)])


def leap_letter(topic: str, partition: int, asset_id: str, leap: Leap) -> DeadLetter:
    """A held row that was refused, as JSON: its message may be one of an earlier fetch. Headers tell where it stood."""
    reason = (
        f"the stamp is {time_span(leap.time_us - leap.newest_us)} ahead of the rows before, and the next row is back: "
        "set the sender's clock"
    )
    about = RejectedRow(code="implausible_time", message=reason, topic=topic, partition=partition, offset=leap.offset)
    (stamp,) = iso_times(np.array([leap.time_us]))
    readings = {column.wire_name: leap.readings.get(column.name) for column in COLUMNS}
    sent = {name: value for name, value in readings.items() if value is not None or name in _REQUIRED}
    value = orjson.dumps({"asset_id": asset_id, "timestamp": stamp, **sent})
    return DeadLetter(asset_id.encode(), value, _headers(about))


def _headers(about: RejectedRow) -> list[tuple[str, bytes]]:
    return [(HEADER_PREFIX + name, str(value).encode()) for name, value in about if value is not None]


def _positions(rows: tuple[int, ...]) -> str:
    """Positions in ascending order as short text, such as ``3,17-20``."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], row]
        else:
            parts.append([row])
    return ",".join("-".join(map(str, part)) for part in parts)
