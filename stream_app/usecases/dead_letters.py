"""What goes to the dead-letter topic for rows that are not applied.

A letter can always be made and written, whatever the message is: else one message would stop its partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import numpy as np
import orjson

from schemas.columns import COLUMNS
from schemas.rejected import HEADER_PREFIX, RejectedRow
from stream_app.domain.ingestion import Leap
from stream_app.usecases import time_refusals
from stream_app.usecases.ports import DeadLetter
from stream_app.wire.batch import Fetch, Headers, Reject, headers_bytes
from stream_app.wire.encode.updates import iso_times

#: Largest letter, below what every topic of the service takes.
LETTER_MAX_BYTES: Final = (8 << 20) - (64 << 10)
#: Kept of each part that is cut.
_CUT_BYTES: Final = 64 << 10
#: For the numbers of a record, and what tells of a cut.
_OVERHEAD_BYTES: Final = 4 << 10
_MESSAGE_CHARACTERS: Final = 2000

#: Headers, by field of a rejected row.
_NAMES: Final = {name: HEADER_PREFIX + name for name in RejectedRow.model_fields}
_REQUIRED: Final = frozenset(column.wire_name for column in COLUMNS if column.required)


def dead_letter(fetch: Fetch, reject: Reject) -> DeadLetter:
    """Original message, with headers that tell what is wrong, where it stood, and which of its rows are meant.

    A letter that would be too large has only the beginning of its value, and if that does not suffice of its key, and
    as many of the original headers as there is room for.
    """
    i = reject.message
    rows = None if reject.rows is None else _positions(reject.rows)
    cuts: dict[str, Any] = {}
    parts: list[str] = []
    if rows is not None and len(rows) > _CUT_BYTES:
        rows = rows[: rows.rindex(",", 0, _CUT_BYTES)]
        parts.append("row")
    about: dict[str, Any] = {
        "code": reject.code,
        "message": reject.reason[:_MESSAGE_CHARACTERS],
        "topic": fetch.topic,
        "partition": fetch.partition,
        "offset": int(fetch.offsets[i]),
        "row": rows,
        "timestamp": int(fetch.timestamps_ms[i]),
    }
    key, value, headers = fetch.keys[i], fetch.values[i], fetch.headers[i]
    told = _headers(about)
    room = LETTER_MAX_BYTES - _OVERHEAD_BYTES - headers_bytes(told)
    original_bytes = headers_bytes(headers)
    if value is not None and len(key or b"") + len(value) + original_bytes > room and len(value) > _CUT_BYTES:
        cuts |= {"value_bytes": len(value), "value_sha256": sha256(value).hexdigest()}
        value = value[:_CUT_BYTES]
        parts.append("value")
    if key is not None and len(key) + len(value or b"") + original_bytes > room and len(key) > _CUT_BYTES:
        cuts |= {"key_bytes": len(key), "key_sha256": sha256(key).hexdigest()}
        key = key[:_CUT_BYTES]
        parts.append("key")
    room -= len(key or b"") + len(value or b"")
    if original_bytes > room:
        kept = _fitting(headers, room)
        cuts["headers_left_out"] = len(headers) - len(kept)
        headers = kept
        parts.append("headers")
    if parts:
        told = _headers(about | {"cut": ",".join(parts), **cuts})
    return DeadLetter(key, value, [*headers, *told])


def leap_letter(topic: str, partition: int, offset: int, asset_id: str, leap: Leap) -> DeadLetter:
    """A held row that was refused, as JSON: its message may be one of an earlier fetch. Headers tell where it stood."""
    reason = time_refusals.leap(leap.newest_us, leap.time_us)
    about = {"code": "implausible_time", "message": reason, "topic": topic, "partition": partition, "offset": offset}
    (stamp,) = iso_times(np.array([leap.time_us]))
    readings = {column.wire_name: leap.readings.get(column.name) for column in COLUMNS}
    sent = {name: value for name, value in readings.items() if value is not None or name in _REQUIRED}
    value = orjson.dumps({"asset_id": asset_id, "timestamp": stamp, **sent})
    return DeadLetter(asset_id.encode(), value, _headers(about))


def _headers(about: Mapping[str, Any]) -> Headers:
    """What is told of a rejected row, by name, as headers; a model of each would take most of a flood's time."""
    # JSON can write half a surrogate pair, which UTF-8 cannot.
    return [
        (_NAMES[name], str(value).encode(errors="backslashreplace"))
        for name, value in about.items()
        if value is not None
    ]


def _fitting(headers: Headers, room: int) -> Headers:
    """The first headers, as many as there is room for; larger ones are left out."""
    kept = []
    for header in headers:
        size = headers_bytes([header])
        if size <= room:
            kept.append(header)
            room -= size
    return kept


def _positions(rows: tuple[int, ...]) -> str:
    """Positions in ascending order as short text, such as ``3,17-20``."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], row]
        else:
            parts.append([row])
    return ",".join("-".join(map(str, part)) for part in parts)
