"""What goes to the dead-letter topic for rows that are not applied."""

from __future__ import annotations

from schemas.rejected import HEADER_PREFIX, RejectedRow
from stream_app.usecases.ports import DeadLetter
from stream_app.wire.batch import Fetch, Reject


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
    headers = [(HEADER_PREFIX + name, str(value).encode()) for name, value in about if value is not None]
    return DeadLetter(fetch.keys[i], fetch.values[i], [*fetch.headers[i], *headers])


def _positions(rows: tuple[int, ...]) -> str:
    """Positions in ascending order as short text, such as ``3,17-20``."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], row]
        else:
            parts.append([row])
    return ",".join("-".join(map(str, part)) for part in parts)
