"""What the application needs from outside, as Protocols; ``infra`` implements them, ``bootstrap`` plugs them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

from schemas.asset import AssetSpec
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.usecases.entry import Entry
from stream_app.wire.batch import Headers
from stream_app.wire.encode.update_list import UpdateList

#: Key of a partition's marker entry in the assets table (no asset id holds a control character).
MARKER_KEY = b"\x00position"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record for the dead-letter topic: original key, value and headers, and why."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one checkpoint of one partition writes, ready as bytes; to be written in this order.

    Its updates (who collects it hands them over slice by slice) and dead letters first, all acked; then ``windows`` and
    ``assets`` (the marker last), all acked; then the tables take ``windows`` and ``assets``; then the source is acked
    up to ``position``.
    """

    partition: int
    position: int  # next source offset
    dead_letters: Sequence[DeadLetter]
    windows: Sequence[Entry]
    assets: Sequence[Entry]


@dataclass(frozen=True)
class WholeCheckpoint(Checkpoint):
    """A checkpoint with its updates."""

    updates: UpdateList


class Changed(NamedTuple):
    """Assets of a partition that were put or deleted, oldest first, and until when [ns since 1970].

    ``whole``: they are all that there are, and what is not among them is gone.
    """

    until_ns: int
    keys: Sequence[bytes]
    whole: bool = False


class Tables(Protocol):
    """The queryable tables as of the last checkpoint, by source partition. Reads only: checkpoints write them."""

    def partitions(self) -> Iterable[int]:
        """Partitions that this worker owns and has recovered."""
        ...

    def asset(self, partition: int, key: bytes) -> bytes | None:
        """Value of an asset (or of the marker)."""
        ...

    def asset_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int | None = None
    ) -> Sequence[bytes]:
        """Keys of assets of a partition, ascending, the marker left out; those that begin so and follow ``after``.

        With ``limit`` no more than so many, and at the cost of those alone.
        """
        ...

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        """Closed windows whose key begins with ``prefix``, by key ascending; must cost O(result), not O(table)."""
        ...

    def window_keys(self, partition: int, prefix: bytes) -> Sequence[bytes]:
        """Keys of :meth:`windows` alone, which costs a small part of it."""
        ...

    def changed(self, partition: int, since_ns: int) -> Changed:
        """Assets that were put or deleted after ``since_ns``, which is an earlier answer's or 0; costs O(result)."""
        ...

    def received_ns(self, partition: int, key: bytes) -> int | None:
        """When an asset's state came last [ns since 1970]; None: not since this worker has the partition."""
        ...


class NoTables:
    """Tables of whoever begins with nothing and keeps nothing."""

    def partitions(self) -> Iterable[int]:
        """None."""
        return ()

    def asset(self, partition: int, key: bytes) -> bytes | None:
        """None."""
        return None

    def asset_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int | None = None
    ) -> Sequence[bytes]:
        """None."""
        return ()

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        """None."""
        return {}

    def window_keys(self, partition: int, prefix: bytes) -> Sequence[bytes]:
        """None."""
        return ()

    def changed(self, partition: int, since_ns: int) -> Changed:
        """None."""
        return Changed(since_ns, ())

    def received_ns(self, partition: int, key: bytes) -> int | None:
        """None."""
        return None


class MeasurementLog(Protocol):
    """The measurements topic, for writers inside the service (uploads, posted rows, specs)."""

    async def append(self, key: bytes, values: Iterable[bytes], partition: int | None = None) -> tuple[int, int]:
        """Publish in order, all acked by the broker; returns (partition, offset of the last).

        ``partition`` is for an asset whose rows live elsewhere than :meth:`partition_of` says. Raises
        UnavailableError when the broker does not take them all; some may have been written then.
        """
        ...

    async def append_to(self, partition: int, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Publish records (key, value) of any assets to a partition, in order; returns the offset of the last.

        Raises UnavailableError as :meth:`append`.
        """
        ...

    async def end_offset(self, partition: int) -> int:
        """Offset after the last message of a partition; UnavailableError when the broker does not tell."""
        ...

    def partition_of(self, key: bytes) -> int:
        """Partition that :meth:`append` uses for a key (Kafka's murmur2)."""
        ...


WorkerPhase = Literal["starting", "waiting_for_broker", "joining", "recovering", "ready", "stopping", "failed"]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What the worker is doing, for health answers."""

    phase: WorkerPhase
    detail: str = ""
    #: Whether Kafka counts this worker in: if not, it answers from what it had.
    connected: bool = True
    #: Why it is not to be asked though it has all its state; "" otherwise.
    obstacle: str = ""


class Cluster(Protocol):
    """Who owns what: the consumer group as this worker sees it."""

    def status(self) -> WorkerStatus:
        """What this worker is doing."""
        ...

    def partition_count(self) -> int:
        """Partitions of the measurements topic."""
        ...

    def owner(self, partition: int) -> str | None:
        """URL of the worker that owns a partition (this one included); None while unknown."""
        ...

    def peers(self) -> Sequence[str]:
        """URLs of all other workers of the group."""
        ...

    def lag(self, partition: int) -> int | None:
        """Messages of an owned partition that no checkpoint includes yet; None while unknown."""
        ...


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What another worker answered, to be parsed or passed on as it is."""

    worker: str
    status: int
    body: bytes
    etag: str | None = None


class Peers(Protocol):
    """Asks other workers; what they are asked this way they answer from their own tables only."""

    async def get(self, worker: str, path: str, params: Mapping[str, str]) -> PeerAnswer | None:
        """GET a path below the API's root; None when the worker cannot be reached in time."""
        ...


@dataclass(frozen=True, slots=True)
class RowMessage:
    """A message for the measurements topic and the number of rows in it."""

    rows: int
    value: bytes


class CheckedFile(Protocol):
    """A file that has been read once. Synchronous and slow: called in a thread."""

    @property
    def rows(self) -> int:
        """Rows that count."""
        ...

    @property
    def told(self) -> Sequence[str]:
        """How it is read, what is suspicious, and what is left out, a line each."""
        ...

    @property
    def assets(self) -> Sequence[str]:
        """Assets that the file names, when they are several."""
        ...

    def messages(self, asset_ids: Sequence[str]) -> Iterator[tuple[str, RowMessage]]:
        """The rows, each asset's in time order, as messages of other assets: one for all, or for each of ``assets``."""
        ...


class RowTranslator(Protocol):
    """Reads rows with other names and units than ours, by the profile that their asset's spec names."""

    def __call__(self, spec: AssetSpec, asset_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with our names and units; a ``Refusal`` tells what is wrong with it."""
        ...


#: How posted rows are written: an array, an object with ``rows`` or with columns; an object per line; a file.
PostedKind = Literal["json", "lines", "table"]


class RowReader(Protocol):
    """Turns what users send into messages. Synchronous and slow: called in a thread."""

    def check(self, file: BinaryIO, spec: FileSpec) -> CheckedFile:
        """Read a file to its end, in bounded memory when its rows are in order.

        Raises
        ------
        InvalidError
            The file holds no rows, or too many bad ones; it names the first bad row (line) and column.
        """
        ...

    def diagnose(self, file: BinaryIO, spec: FileSpec, name: str) -> Diagnosis:
        """Look at the first MB of a file of that name.

        Raises
        ------
        InvalidError
            The file is not a table of measurements.
        """
        ...

    def posted(
        self, body: bytes, kind: PostedKind, asset_id: str | None, spec_of: Callable[[str], AssetSpec]
    ) -> Mapping[str, Sequence[RowMessage]]:
        """Read posted rows; messages by asset, all rows valid or InvalidError.

        A table's rows that name no asset are ``asset_id``'s; rows without our names are read by their spec's profile.
        """
        ...
