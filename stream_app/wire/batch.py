"""What passes from a fetch to the state: raw messages in, decoded columns and rejects out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np

from schemas.control import AnyControl
from schemas.rejected import RejectCode
from stream_app.columns.arrays import FloatArray, IntArray

#: Names by :func:`header_name`; a value may be null.
Headers = Sequence[tuple[str, bytes | None]]


def header_name(name: bytes) -> str:
    """Name of a header as text: any bytes, which :func:`header_name_bytes` gives back."""
    return name.decode(errors="surrogateescape")


def header_name_bytes(name: str) -> bytes:
    """Bytes of a header's name."""
    return name.encode(errors="surrogateescape")


@runtime_checkable
class SearchableHeaders(Protocol):
    """Headers of many messages that are searched without decoding those of each."""

    def messages_with(self, name: str) -> Sequence[int]:
        """Indices of the messages that have a header of this name, ascending."""
        ...


def messages_with(headers: Sequence[Headers], name: str) -> Sequence[int]:
    """Indices of the messages that have a header of this name, ascending."""
    if isinstance(headers, SearchableHeaders):
        return headers.messages_with(name)
    return [i for i, some in enumerate(headers) if any(each == name for each, _ in some)]


def headers_bytes(headers: Headers) -> int:
    """Size of headers in a record, or a little more."""
    return sum(len(header_name_bytes(name)) + len(value or b"") + 10 for name, value in headers)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Everything fetched at once from one source partition: ``m`` raw messages, offsets ascending.

    ``start`` is where the fetch began (the consumer's position before it), ``end`` the position after it. Offsets may
    have holes (compaction, transaction markers), so ``start`` may be below ``offsets[0]``.
    """

    topic: str
    partition: int
    start: int
    end: int
    offsets: Sequence[int] | IntArray
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps_ms: Sequence[int] | IntArray
    headers: Sequence[Headers]

    def one(self, i: int) -> Fetch:
        """Message ``i`` as a fetch of its own."""
        return self.part(i, i + 1)

    def part(self, low: int, high: int) -> Fetch:
        """Messages ``low`` to ``high``, at least one, as a fetch of their own."""
        return Fetch(
            topic=self.topic,
            partition=self.partition,
            start=int(self.offsets[low]),
            end=int(self.offsets[high - 1]) + 1,
            offsets=self.offsets[low:high],
            keys=self.keys[low:high],
            values=self.values[low:high],
            timestamps_ms=self.timestamps_ms[low:high],
            headers=self.headers[low:high],
        )

    def moved(self, shift: int) -> Fetch:
        """The fetch as if its offsets were higher by ``shift``."""
        if not shift:
            return self
        offsets = np.asarray(self.offsets, np.int64) + shift
        return replace(self, start=self.start + shift, end=self.end + shift, offsets=offsets)


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A control record and where it stood."""

    message: int  # index into the fetch
    offset: int
    timestamp_ms: int
    control: AnyControl


@dataclass(frozen=True, slots=True)
class Reject:
    """Rows of one message (``rows`` None: the whole message) that are not applied, and why."""

    message: int  # index into the fetch
    rows: tuple[int, ...] | None
    code: RejectCode
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded fetch: ``n`` rows in offset order, the controls between them, and what was rejected.

    ``asset`` indexes ``assets``, which may name more than have rows; ``message`` indexes the fetch; ``row`` is the
    row's position within its message. ``record_ms`` is Kafka's time of the fetch's messages (empty: not known).
    """

    assets: Sequence[str]
    asset: IntArray
    offset: IntArray
    time_us: IntArray
    message: IntArray
    row: IntArray
    columns: Mapping[str, FloatArray]
    controls: Sequence[ControlRecord] = ()
    rejects: Sequence[Reject] = field(default_factory=tuple)
    record_ms: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.asset)

    def only(self, rows: IntArray) -> Batch:
        """The rows at the given positions, with all controls and rejects."""
        return replace(
            self,
            asset=self.asset[rows],
            offset=self.offset[rows],
            time_us=self.time_us[rows],
            message=self.message[rows],
            row=self.row[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
        )
