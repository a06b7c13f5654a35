"""The topics of an app: their names, their settings, and a check that names each problem with its cure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from stream_app.domain.source import Source
from stream_app.infra.kafka.errors import BrokerError, BrokerFailedError, TopicsError
from stream_app.infra.kafka.log import rights
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.failures import broker_failures
from stream_app.infra.kafka.log.topic_identity import source_of
from stream_app.settings import KafkaSettings

_log = logging.getLogger(__name__)

#: Largest record that the service writes. A state grows with the window sizes of its asset; a sensible one is far
#: smaller.
RECORD_MAX_BYTES: Final = 8 << 20
#: Bytes that a batch adds to its record, and that the dead-letter headers add to the original message.
_OVERHEAD_BYTES: Final = 64 << 10
_CHANGELOG_SEGMENT_BYTES: Final = 50 << 20
_COMPACTION_LAG_MS: Final = 60_000
_ALREADY_EXISTS: Final = 36
#: Errors by which a broker refuses to tell settings: TOPIC_ and CLUSTER_AUTHORIZATION_FAILED.
_NOT_GRANTED: Final = frozenset({29, 31})
_CREATED_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics of one app."""

    measurements: str
    metrics: str
    dead_letters: str
    assets_changelog: str
    windows_changelog: str

    @classmethod
    def of(cls, settings: KafkaSettings) -> Topics:
        """Names that follow from the settings."""
        return cls(
            measurements=settings.measurements_topic,
            metrics=settings.metrics_topic,
            dead_letters=settings.dead_letter_topic,
            assets_changelog=f"{settings.app_id}-assets-changelog",
            windows_changelog=f"{settings.app_id}-windows-changelog",
        )

    @property
    def changelogs(self) -> tuple[str, str]:
        """Topics that hold the state of each partition of the source."""
        return self.assets_changelog, self.windows_changelog


def _wanted_configs(topics: Topics) -> dict[str, dict[str, str]]:
    limit = str(RECORD_MAX_BYTES + _OVERHEAD_BYTES)
    state = {
        "cleanup.policy": "compact",
        "max.message.bytes": limit,
        # Only closed segments are compacted: a recovery reads all of the open one.
        "segment.bytes": str(_CHANGELOG_SEGMENT_BYTES),
        # Time for a worker to find and repair a newer entry that a late writer has overwritten.
        "min.compaction.lag.ms": str(_COMPACTION_LAG_MS),
    }
    return {
        topics.measurements: {"cleanup.policy": "delete", "max.message.bytes": str(RECORD_MAX_BYTES)},
        topics.metrics: {"cleanup.policy": "delete", "max.message.bytes": limit},
        topics.dead_letters: {"cleanup.policy": "delete", "max.message.bytes": limit},
        topics.assets_changelog: state,
        topics.windows_changelog: state,
    }


@asynccontextmanager
async def admin_client(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client; BrokerUnavailableError: no broker answers, or one fails inside."""
    await reach(settings)
    client = AIOKafkaAdminClient(**client_options(settings))
    try:
        with broker_failures():
            await client.start()
            yield client
    except BrokerError as error:
        raise BrokerFailedError(settings.bootstrap_servers, error) from error
    finally:
        await client.close()


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    # All topics are asked for: asking by name makes a broker with auto.create.topics.enable create them.
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _configs(
    admin: AIOKafkaAdminClient, names: list[str], not_checked: Callable[[str], None]
) -> dict[str, dict[str, str]]:
    """Settings of those topics whose settings the broker tells; the others are told to ``not_checked``."""
    asked = {"cleanup.policy": None, "max.message.bytes": None}
    answers: list[Any] = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configs=asked) for name in names]
    )
    resources = [resource for answer in answers for resource in answer.resources]
    unread = {resource[3]: resource[0] for resource in resources if resource[0] != 0}
    for code in sorted(set(unread.values())):
        hidden = ", ".join(repr(name) for name in names if unread.get(name) == code)
        reason = for_code(code).__name__
        if code in _NOT_GRANTED:
            reason = "this user has no right to it; grant DescribeConfigs on the topics to have them checked"
        not_checked(f"cannot read the settings of {hidden} ({reason}): not checked")
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in resources if resource[0] == 0}


async def source(settings: KafkaSettings) -> Source | None:
    """Ask for the identity of the measurements topic; None: it is missing. BrokerUnavailableError: nobody answers."""
    async with admin_client(settings) as admin:
        return await source_of(admin._client, settings.measurements_topic)


async def partition_counts(settings: KafkaSettings) -> dict[str, int]:
    """Count the partitions of the measurements topic and the changelogs.

    Raises
    ------
    BrokerUnavailableError, TopicsError
        No broker answers; one of the topics is missing.
    """
    topics = Topics.of(settings)
    async with admin_client(settings) as admin:
        counts = await _partition_counts(admin)
    names = (topics.measurements, *topics.changelogs)
    if missing := [name for name in names if name not in counts]:
        raise TopicsError([_missing(name) for name in missing])
    return {name: counts[name] for name in names}


def _missing(name: str) -> str:
    return f"topic {name!r} is missing: run `stream-app topics ensure`"


async def ensure(settings: KafkaSettings) -> list[str]:
    """Create the topics that are missing; those that exist are left alone.

    Returns
    -------
    list of str
        A line for each topic created.

    Raises
    ------
    BrokerUnavailableError, AccessError, TopicsError
        No broker answers; it does not let this client in; it refuses to create a topic.
    """
    topics = Topics.of(settings)
    async with admin_client(settings) as admin:
        # The source first: the changelogs get as many partitions as it really has.
        created = await _create(admin, settings, {topics.measurements: settings.partitions})
        source = (await _partition_counts(admin))[topics.measurements]
        counts = dict.fromkeys(topics.changelogs, source)
        counts |= dict.fromkeys((topics.metrics, topics.dead_letters), settings.partitions)
        created |= await _create(admin, settings, counts)
    return [f"created topic {name!r} with {count} partition(s)" for name, count in created.items()]


async def _create(admin: AIOKafkaAdminClient, settings: KafkaSettings, counts: Mapping[str, int]) -> dict[str, int]:
    """Create the topics that are missing; return their partition counts."""
    existing = await _partition_counts(admin)
    missing = {name: count for name, count in counts.items() if name not in existing}
    if not missing:
        return {}
    configs = _wanted_configs(Topics.of(settings))
    answer = await admin.create_topics(
        [
            NewTopic(name, count, settings.replication_factor, topic_configs=configs[name])
            for name, count in missing.items()
        ]
    )
    refused = [
        f"the broker refuses to create topic {name!r}: {reason or f'error {code}'} "
        "(partitions: STREAM_KAFKA__PARTITIONS, copies: STREAM_KAFKA__REPLICATION_FACTOR)"
        for name, code, reason in answer.topic_errors
        if code not in (0, _ALREADY_EXISTS)
    ]
    if refused:
        raise TopicsError(refused)
    async with asyncio.timeout(_CREATED_TIMEOUT_S):
        while missing.keys() - (await _partition_counts(admin)).keys():  # noqa: ASYNC110  # the broker sends no event
            await asyncio.sleep(0.1)
    return {name: missing[name] for name, code, _ in answer.topic_errors if code == 0}


async def check(settings: KafkaSettings, not_checked: Callable[[str], None] = _log.warning) -> list[str]:
    """Compare the topics with what the app needs.

    Parameters
    ----------
    not_checked
        Is told, in a line, of what cannot be checked.

    Returns
    -------
    list of str
        One line for each problem, with its cure; none if all is well.

    Raises
    ------
    BrokerUnavailableError, AccessError
        No broker answers; it does not let this client in.
    """
    topics = Topics.of(settings)
    async with admin_client(settings) as admin:
        counts = await _partition_counts(admin)
        present = [name for name in _wanted_configs(topics) if name in counts]
        configs = await _configs(admin, present, not_checked) if present else {}
        lacking = await rights.missing(admin, settings)
    problems = [rights.problem(settings, right) for right in lacking]
    hidden = {right.name for right in lacking}  # a topic that may not be seen looks like one that is missing
    problems += [_missing(name) for name in _wanted_configs(topics) if name not in counts and name not in hidden]
    for name in present:
        problems += _topic_problems(settings, topics, name, counts, configs)
    return problems


def _topic_problems(
    settings: KafkaSettings,
    topics: Topics,
    name: str,
    counts: Mapping[str, int],
    configs: Mapping[str, Mapping[str, str]],
) -> list[str]:
    problems = []
    alter = f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter --topic {name} --add-config"
    source, keyed_by_window = topics.measurements, settings.metrics_key == "window"
    if name in topics.changelogs and counts.get(source, counts[name]) != counts[name]:
        problems.append(
            f"topic {name!r} has {counts[name]} partition(s), {source!r} has {counts[source]}: they must be equal; "
            f"delete {name!r} and run `stream-app topics ensure` (the state is computed again from the rows), or "
            "set another STREAM_KAFKA__APP_ID"
        )
    known = configs.get(name, {})  # what the broker does not tell is not taken for wrong
    policy = {part.strip() for part in known["cleanup.policy"].split(",")} if "cleanup.policy" in known else None
    is_compacted = policy is not None and "compact" in policy
    if name in topics.changelogs and policy is not None and policy != {"compact"}:
        problems.append(
            f"topic {name!r} has cleanup.policy={','.join(sorted(policy))}: it must be compact alone, or state is "
            f"deleted by age; run {alter} cleanup.policy=compact"
        )
    if is_compacted and (name == topics.dead_letters or (name == topics.metrics and not keyed_by_window)):
        cure = "" if name == topics.dead_letters else ", or set STREAM_KAFKA__METRICS_KEY=window on each worker"
        lost = "letters but the last of each key" if name == topics.dead_letters else "windows of an asset but one"
        problems.append(
            f"topic {name!r} is compacted, which deletes all {lost}; run {alter} cleanup.policy=delete{cure}"
        )
    if is_compacted and name == source:
        problems.append(
            f"topic {name!r} is compacted, which deletes all rows of an asset but the last; run {alter} "
            "cleanup.policy=delete"
        )
    needed = RECORD_MAX_BYTES
    if name == topics.dead_letters:
        needed = int(configs.get(source, {}).get("max.message.bytes") or RECORD_MAX_BYTES) + _OVERHEAD_BYTES
    limit = int(known["max.message.bytes"]) if "max.message.bytes" in known else None
    if name != source and limit is not None and limit < needed:
        problems.append(
            f"topic {name!r} has max.message.bytes={limit}, less than the {needed} that its records may need; "
            f"run {alter} max.message.bytes={max(needed, RECORD_MAX_BYTES + _OVERHEAD_BYTES)}"
        )
    return problems
