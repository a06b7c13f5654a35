"""Errors that end the Kafka side. Each message is one line: what happened, where, and the cure.

KafkaSideError
├── BrokerUnavailableError  no broker answers at the bootstrap servers
├── BrokerError             the broker refuses, or the connection to it broke: trying again may help
├── TopicsError             topics are missing or not as they must be
├── RecordTooLargeError     a record is larger than the topics take
├── StateError              this release cannot read an entry of a changelog
├── ChangelogGapError       the recovery read a changelog with a gap in it
├── SourceTruncatedError    the state is ahead of the measurements topic
├── CorruptLogError         a batch in a topic has a wrong checksum
├── StalledError            the worker makes no progress though there is work
├── EmbeddedBrokerError     the embedded broker is missing or does not start
└── WorkerCrashedError      Faust gave up
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream_app.errors import ExpectedError

_SHOWN_BYTES: Final = 200  # of a key that an error repeats


class KafkaSideError(ExpectedError):
    """The Kafka side cannot go on."""


class BrokerUnavailableError(KafkaSideError):
    """No broker answers at the bootstrap servers."""

    def __init__(self, servers: str) -> None:
        super().__init__(f"no Kafka broker answers at {servers}: start one, or set STREAM_KAFKA__BOOTSTRAP_SERVERS")


class BrokerError(KafkaSideError):
    """The broker refuses, or the connection to it broke: trying again may help."""


class TopicsError(KafkaSideError):
    """Topics are missing or not as they must be; ``problems`` has a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class RecordTooLargeError(KafkaSideError):
    """A record is larger than the topics take; ``cure`` depends on whose record it is."""

    def __init__(self, topic: str, key: bytes | None, size: int, limit: int, cure: str) -> None:
        shown = (key or b"")[:_SHOWN_BYTES].decode(errors="replace")
        name = "without key" if key is None else f"of {shown!r}"
        super().__init__(f"record {name} for topic {topic!r} has {size} bytes, more than the limit of {limit}: {cure}")


class StateError(KafkaSideError):
    """An entry of a changelog that this release cannot read."""

    def __init__(self, topic: str, partition: int, reason: str) -> None:
        super().__init__(f"cannot recover from {topic!r} partition {partition}: {reason}")


class ChangelogGapError(KafkaSideError):
    """The recovery read a changelog with a gap in it; going on would lose state."""

    def __init__(self, topic: str, partition: int, expected: int, got: int) -> None:
        super().__init__(
            f"the recovery of {topic!r} partition {partition} went on at offset {got} instead of {expected}: "
            "start the worker again, it recovers from the beginning"
        )


class SourceTruncatedError(KafkaSideError):
    """The state is ahead of the measurements topic: the topic was recreated, or lost its end."""

    def __init__(self, topic: str, partition: int, position: int, end: int) -> None:
        super().__init__(
            f"{topic!r} partition {partition} ends at offset {end}, but the state is at {position}: the topic was "
            "recreated or lost data; restore it, or start again from nothing with another STREAM_KAFKA__APP_ID"
        )


class CorruptLogError(KafkaSideError):
    """A batch in a topic has a wrong checksum, or cannot be read: it was damaged on the broker's disk or before."""

    def __init__(self, place: tuple[str, int], offset: int, end: int, why: str = "wrong checksum") -> None:
        topic, partition = place
        super().__init__(
            f"{topic!r} partition {partition} is damaged at offset {offset} ({why}): let an intact "
            f"replica lead the partition, or restore it; to go on without offsets {offset} to {end - 1}, delete the "
            f"partition's records before {end} (kafka-delete-records.sh)"
        )


class StalledError(KafkaSideError):
    """The worker makes no progress though there is work; ``place`` says where it stands."""

    def __init__(self, place: str, since_s: float) -> None:
        super().__init__(
            f"no progress for {since_s:.0f} s though more is waiting: {place}; start the worker again; if it stalls "
            "again, the log has the step that hangs"
        )


class EmbeddedBrokerError(KafkaSideError):
    """The embedded broker is missing or does not start."""


class WorkerCrashedError(KafkaSideError):
    """Faust gave up."""

    def __init__(self, reason: BaseException | None) -> None:
        super().__init__(f"the worker crashed ({reason!r}): see the log above, then start it again")
