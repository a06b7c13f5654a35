"""Errors that end the Kafka side. Each message is one line: what happened, where, and the cure.

KafkaSideError
├── BrokerUnavailableError  no broker answers at the bootstrap servers
│   ├── AdvertisedAddressError  a broker answers, but sends clients to where nobody answers
│   └── BrokerFailedError   a broker answers, but not what it was asked
├── AccessError             the broker does not let this client in: TLS or SASL is not set as it must be
├── BrokerError             the broker refuses, or the connection to it broke: trying again may help
│   └── ClockError          the broker refuses the time that this worker writes
├── GroupRefusedError       the consumer group refuses this worker for good
├── LeftOutError            Kafka answers, but this worker does not get into the group
├── SharedUrlError          other workers of the group cannot tell this one by its URL, or not reach it
├── TopicsError             topics are missing or not as they must be
├── RecordTooLargeError     a record is larger than the topics take
├── StateError              this release cannot read an entry of a changelog
├── ChangelogGapError       the recovery read a changelog with a gap in it
├── SourceTruncatedError    the state is ahead of the measurements topic
├── SourceChangedError      the state is of another topic
├── SourceMissingError      the measurements topic was deleted
├── ResetUnfinishedError    a reset of the state was cut short
├── StateInUseError         workers run, so the state cannot be changed
├── ReplayRunningError      another replay of dead letters is under way
├── CorruptLogError         a batch in a topic has a wrong checksum
├── StalledError            the worker makes no progress though there is work
├── EmbeddedBrokerError     the embedded broker is missing or does not start
└── WorkerCrashedError      Faust gave up
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from stream_app.domain.source import Source
from stream_app.errors import ExpectedError

_SHOWN_BYTES: Final = 200  # of a key that an error repeats


class KafkaSideError(ExpectedError):
    """The Kafka side cannot go on."""


class BrokerUnavailableError(KafkaSideError):
    """No broker answers at the bootstrap servers."""

    def __init__(self, servers: str) -> None:
        super().__init__(f"no Kafka broker answers at {servers}: start one, or set STREAM_KAFKA__BOOTSTRAP_SERVERS")


class AdvertisedAddressError(BrokerUnavailableError):
    """A broker answers, but sends clients to where nobody answers."""

    def __init__(self, server: str, advertised: Sequence[str], reason: str) -> None:
        KafkaSideError.__init__(
            self,
            f"the Kafka broker at {server} answers, but sends its clients to {', '.join(advertised)} (its "
            f"advertised.listeners), which cannot be reached from here ({reason}): correct advertised.listeners in the "
            "broker's settings, or let this host reach that address",
        )


class BrokerFailedError(BrokerUnavailableError):
    """A broker answers, but not what it was asked."""

    def __init__(self, servers: str, reason: object) -> None:
        KafkaSideError.__init__(
            self, f"the Kafka broker at {servers} answers, but not what it was asked ({reason}): see the broker's log"
        )


class AccessError(KafkaSideError):
    """The broker does not let this client in; ``reason`` says why, and the cure."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"the Kafka broker at {server} {reason}")


class BrokerError(KafkaSideError):
    """The broker refuses, or the connection to it broke: trying again may help."""


class ClockError(BrokerError):
    """The broker refuses the time that this worker writes.

    Parameters
    ----------
    now_s
        What this worker's clock says [Unix time].
    newest_s
        Kafka's time of the newest record of the measurements topic that the worker has seen; None: it has seen none.
    """

    def __init__(self, now_s: float, newest_s: float | None = None) -> None:
        clock = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
        off = "ahead of or behind the broker's"
        if newest_s is not None:
            direction = "ahead of" if now_s >= newest_s else "behind"
            distance = timedelta(seconds=round(abs(now_s - newest_s)))
            off = f"{distance} {direction} the newest record of the measurements topic"
        super().__init__(
            f"the broker refuses this worker's time (InvalidTimestamp): its clock says {clock}, which is {off}: set "
            "this host's clock (NTP); the limits are the topics' message.timestamp.after.max.ms and …before.max.ms"
        )


class GroupRefusedError(KafkaSideError):
    """The consumer group refuses this worker until somebody acts: ``words`` are the coordinator's."""

    def __init__(self, group: str, words: str, cure: str) -> None:
        super().__init__(f"the consumer group {group!r} refuses this worker: {words}; {cure}")


class LeftOutError(KafkaSideError):
    """Kafka answers, but this worker does not get into the group; ``words`` are the last that it heard."""

    def __init__(self, servers: str, group: str, since_s: float, words: str) -> None:
        super().__init__(
            f"Kafka answers at {servers}, but this worker has not been in the group {group!r} for {since_s:.0f} s "
            f"({words}): start it again; if it stays out, look at the group with kafka-consumer-groups.sh --describe "
            f"--group {group} --members"
        )


class SharedUrlError(KafkaSideError):
    """Other workers of the group cannot tell this one by its URL, or not reach it; the message has the cure."""


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


#: What an operator can do when the measurements topic is not the log that the state was computed from.
_OTHER_LOG_CURES: Final = (
    "restore the topic; or run `stream-app reset` (deletes the state, computes it anew from the topic's beginning), "
    "or `stream-app topics adopt` (keeps the state, goes on with this topic), or set another STREAM_KAFKA__APP_ID"
)


class SourceTruncatedError(KafkaSideError):
    """The state is ahead of the measurements topic: the topic lost its end, or was recreated."""

    def __init__(self, topic: str, partition: int, position: int, end: int) -> None:
        super().__init__(
            f"{topic!r} partition {partition} ends at offset {end}, but the state is at {position}: the topic was "
            f"recreated or lost data: {_OTHER_LOG_CURES}"
        )


class SourceChangedError(KafkaSideError):
    """The state is of another topic than the measurements topic: by name, or by id if it was recreated."""

    def __init__(self, partition: int, position: int, before: Source, now: Source) -> None:
        what = "was deleted and recreated" if before.topic == now.topic else "is another one"
        super().__init__(
            f"the measurements topic {what}: the state of partition {partition}, at offset {position}, is of topic "
            f"{before}, but STREAM_KAFKA__MEASUREMENTS_TOPIC is {now}: {_OTHER_LOG_CURES}"
        )


class SourceMissingError(KafkaSideError):
    """The measurements topic was deleted while the worker ran."""

    def __init__(self, topic: str, before: Source | None) -> None:
        name = repr(topic) if before is None else str(before)
        super().__init__(
            f"the measurements topic {name} is missing, it was deleted: restore it; or create it again by "
            "`stream-app topics ensure`, then run `stream-app reset` (deletes the state) or `stream-app topics adopt` "
            "(keeps the state)"
        )


class ResetUnfinishedError(KafkaSideError):
    """A reset of the state was cut short: a part of the state is left."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            f"a reset of the state was cut short, {topic!r} partition {partition} still holds a part of it: "
            "run `stream-app reset` again"
        )


class StateInUseError(KafkaSideError):
    """Workers run, so the state cannot be changed."""

    def __init__(self, group: str, members: Sequence[str]) -> None:
        super().__init__(
            f"group {group!r} has {len(members)} active member(s) ({', '.join(members)}): stop all workers first; one "
            "that was killed counts until its session timeout has passed"
        )


class ReplayRunningError(KafkaSideError):
    """Another replay of dead letters is under way."""

    def __init__(self, group: str, members: Sequence[str]) -> None:
        super().__init__(
            f"another replay is under way, {', '.join(members)} of group {group!r}: wait until it has ended; one that "
            "was killed counts until its session timeout has passed"
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
