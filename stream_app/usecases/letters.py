"""The dead-letter topic, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stream_app.wire.batch import Headers


class StoredLetter(NamedTuple):
    """A record of the dead-letter topic, and where it stands there."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class DeadLetterLog(Protocol):
    """The dead-letter topic, for those who look at it."""

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        """The newest ``count`` letters of each partition; UnavailableError when the broker does not answer."""
        ...

    async def one(self, partition: int, offset: int) -> StoredLetter | None:
        """The letter at a place; None: there is none. UnavailableError as :meth:`newest`."""
        ...
