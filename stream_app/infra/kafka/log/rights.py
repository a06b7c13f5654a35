"""What a worker's user has to be allowed at Kafka, at least, and whether it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, IncompatibleBrokerVersion

from stream_app.infra.kafka.log.group_state import group_operations
from stream_app.infra.kafka.log.topic_identity import described_topics
from stream_app.settings import KafkaSettings

Kind = Literal["topic", "group"]
Operation = Literal["Read", "Write", "Describe"]

#: Bits by which a broker tells what is allowed (KIP-430).
_BITS: Final[Mapping[Operation, int]] = {"Read": 3, "Write": 4, "Describe": 8}
_DENIED: Final = frozenset({29, 30})  # TOPIC_ and GROUP_AUTHORIZATION_FAILED
#: Bits without any of the above.
_NOTHING: Final = 1
#: A broker that does not tell, by its own word or because it has no such thing.
_UNTOLD: Final = frozenset({-(1 << 31), 0})
_NOBODY: Final = "User:NAME"


@dataclass(frozen=True, slots=True)
class Right:
    """What is to be allowed on a topic or a group; ``why`` where not every worker needs it."""

    kind: Kind
    name: str
    operations: Sequence[Operation]
    why: str = ""


def needed(kafka: KafkaSettings) -> list[Right]:
    """Rights without which no worker runs."""
    return [
        Right("topic", kafka.measurements_topic, ("Read", "Write")),
        Right("topic", kafka.metrics_topic, ("Write",)),
        Right("topic", kafka.dead_letter_topic, ("Write",)),
        Right("topic", f"{kafka.app_id}-assets-changelog", ("Read", "Write")),
        Right("topic", f"{kafka.app_id}-windows-changelog", ("Read", "Write")),
        Right("group", kafka.app_id, ("Read",)),
    ]


def _useful(kafka: KafkaSettings) -> list[Right]:
    return [
        Right("topic", kafka.dead_letter_topic, ("Read",), "the list of dead letters, and stream-app dlq"),
        Right("group", f"{kafka.app_id}-dlq-replay", ("Read",), "stream-app dlq replay"),
        Right("topic", f"{kafka.app_id}-keys", ("Read",), "STREAM_SECURITY__MODE=keys"),
    ]


def commands(kafka: KafkaSettings, principal: str) -> Iterator[str]:
    """Commands of Kafka that grant a principal the least rights of a worker, a line each."""
    for right in [*needed(kafka), *_useful(kafka)]:
        yield _command(kafka, principal, right) + (f"   # for {right.why}" if right.why else "")


def _command(kafka: KafkaSettings, principal: str, right: Right) -> str:
    operations = " ".join(f"--operation {operation}" for operation in right.operations)
    return (
        f"kafka-acls.sh --bootstrap-server {kafka.bootstrap_servers} --add --allow-principal '{principal}' "
        f"{operations} --{right.kind} {right.name}"
    )


async def missing(admin: AIOKafkaAdminClient, kafka: KafkaSettings) -> list[Right]:
    """Rights that the user lacks; none are missing where the broker does not tell."""
    rights = needed(kafka)
    topics = [right.name for right in rights if right.kind == "topic"]
    try:
        told = {("topic", name): bits for name, bits in (await _of_topics(admin, topics)).items()}
        told["group", kafka.app_id] = await _of_group(admin, kafka.app_id)
    except IncompatibleBrokerVersion:  # before Kafka 2.8
        return []
    allowed = {place: bits for place, bits in told.items() if bits not in _UNTOLD}
    return [
        Right(right.kind, right.name, lacking, right.why)
        for right in rights
        if (bits := allowed.get((right.kind, right.name))) is not None
        and (lacking := [each for each in right.operations if not bits >> _BITS[each] & 1])
    ]


async def _of_topics(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """Bits of what is allowed, by topic; those that are missing are left out."""
    return {
        name: _NOTHING if code in _DENIED else bits
        for code, name, bits in await described_topics(admin._client, topics)
        if code in _DENIED or not code
    }


async def _of_group(admin: AIOKafkaAdminClient, group: str) -> int:
    try:
        return await group_operations(admin, group)
    except GroupAuthorizationFailedError:
        return _NOTHING


def problem(kafka: KafkaSettings, right: Right) -> str:
    """Tell of a right that is missing, with the cure."""
    who = "this client" if kafka.sasl_username is None else f"user {kafka.sasl_username!r}"
    principal = _NOBODY if kafka.sasl_username is None else f"User:{kafka.sasl_username}"
    verbs = " and ".join(right.operations)
    return f"{who} has no right to {verbs} {right.kind} {right.name!r}: run {_command(kafka, principal, right)}"
