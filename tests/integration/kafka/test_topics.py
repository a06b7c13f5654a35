"""Creating the topics, and the problems that the check finds in existing ones."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream_app.infra.kafka.errors import BrokerUnavailableError, TopicsError
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.topics import Topics
from stream_app.settings import KafkaSettings
from tests.kafka import settings_for
from tests.ports import free_port

pytestmark = pytest.mark.kafka


async def create(kafka: KafkaSettings, *wanted: NewTopic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics(list(wanted))
    names = {topic.name for topic in wanted}
    while names - {topic["topic"] for topic in await admin.describe_topics()}:  # noqa: ASYNC110  # no event
        await asyncio.sleep(0.05)
    await admin.close()


async def test_ensure_creates_missing_topics_and_check_accepts_them(kafka_settings: KafkaSettings) -> None:
    """All five topics are created, once; `check` finds no problem in them."""
    created = await topics.ensure(kafka_settings)
    assert len(created) == 5
    assert f"created topic '{kafka_settings.measurements_topic}' with 4 partition(s)" in created
    assert await topics.ensure(kafka_settings) == []
    assert await topics.check(kafka_settings) == []


async def test_changelogs_follow_an_existing_source(kafka_settings: KafkaSettings) -> None:
    """Changelogs get as many partitions as the source has, whatever the setting says."""
    await create(kafka_settings, NewTopic(kafka_settings.measurements_topic, 3, 1))
    created = await topics.ensure(kafka_settings)
    for changelog in Topics.of(kafka_settings).changelogs:
        assert f"created topic {changelog!r} with 3 partition(s)" in created
    assert f"created topic {kafka_settings.metrics_topic!r} with 4 partition(s)" in created
    assert await topics.check(kafka_settings) == []


async def test_missing_topics_are_named_with_the_command_that_creates_them(kafka_settings: KafkaSettings) -> None:
    """A line per topic; looking at them creates none."""
    for _ in range(2):
        assert await topics.check(kafka_settings) == [
            f"topic {name!r} is missing: run `stream-app topics ensure`"
            for name in (
                kafka_settings.measurements_topic,
                kafka_settings.metrics_topic,
                kafka_settings.dead_letter_topic,
                *Topics.of(kafka_settings).changelogs,
            )
        ]


async def test_a_changelog_that_would_lose_state_is_told(kafka_settings: KafkaSettings) -> None:
    """Other partition counts, deletion by age and small limits: each has a line with the topic and the cure."""
    assets, windows = Topics.of(kafka_settings).changelogs
    await create(
        kafka_settings,
        NewTopic(assets, 2, 1, topic_configs={"cleanup.policy": "compact", "max.message.bytes": "9000000"}),
        NewTopic(windows, 4, 1, topic_configs={"cleanup.policy": "compact,delete", "max.message.bytes": "1000"}),
    )
    await topics.ensure(kafka_settings)
    mismatch, by_age, small = await topics.check(kafka_settings)
    source = kafka_settings.measurements_topic
    assert mismatch.startswith(f"topic {assets!r} has 2 partition(s), {source!r} has 4: they must be equal; delete")
    assert by_age.startswith(f"topic {windows!r} has cleanup.policy=compact,delete: it must be compact alone")
    assert by_age.endswith(f"--alter --topic {windows} --add-config cleanup.policy=compact")
    assert small.startswith(f"topic {windows!r} has max.message.bytes=1000, less than the ")
    assert all("\n" not in line for line in (mismatch, by_age, small))


async def test_a_compacted_source_is_told(kafka_settings: KafkaSettings) -> None:
    """Compaction would delete all rows of an asset but the last."""
    name = kafka_settings.measurements_topic
    await create(kafka_settings, NewTopic(name, 4, 1, topic_configs={"cleanup.policy": "compact"}))
    await topics.ensure(kafka_settings)
    (problem,) = await topics.check(kafka_settings)
    assert problem.startswith(f"topic {name!r} is compacted, which deletes all rows of an asset but the last; run ")


async def test_compacted_output_is_told(kafka_settings: KafkaSettings) -> None:
    """Under asset keys all windows of an asset but one would go; dead letters of one key are never the same."""
    metrics, letters = kafka_settings.metrics_topic, kafka_settings.dead_letter_topic
    policies = ((metrics, "compact"), (letters, "compact,delete"))
    configs = [(name, {"cleanup.policy": policy, "max.message.bytes": "9000000"}) for name, policy in policies]
    await create(kafka_settings, *(NewTopic(name, 4, 1, topic_configs=config) for name, config in configs))
    await topics.ensure(kafka_settings)
    of_metrics, of_letters = await topics.check(kafka_settings)
    assert of_metrics.startswith(f"topic {metrics!r} is compacted, which deletes all windows of an asset but one; run ")
    assert of_metrics.endswith("cleanup.policy=delete, or set STREAM_KAFKA__METRICS_KEY=window on each worker")
    assert of_letters.startswith(f"topic {letters!r} is compacted, which deletes all letters but the last of each key")
    assert await topics.check(kafka_settings.model_copy(update={"metrics_key": "window"})) == [of_letters]


async def test_a_dead_letter_topic_takes_all_records_that_the_source_takes(kafka_settings: KafkaSettings) -> None:
    """A message that cannot be decoded must fit, however large it is."""
    name = kafka_settings.measurements_topic
    await create(kafka_settings, NewTopic(name, 4, 1, topic_configs={"max.message.bytes": "20000000"}))
    await topics.ensure(kafka_settings)
    (problem,) = await topics.check(kafka_settings)
    assert problem.startswith(f"topic {kafka_settings.dead_letter_topic!r} has max.message.bytes=")


async def test_a_broker_that_refuses_is_quoted(real_broker: object, kafka_settings: KafkaSettings) -> None:
    """Three copies on one broker: its reason and the setting to change are told."""
    with pytest.raises(TopicsError, match=r"STREAM_KAFKA__REPLICATION_FACTOR") as caught:
        await topics.ensure(kafka_settings.model_copy(update={"replication_factor": 3}))
    (problem,) = caught.value.problems
    assert kafka_settings.measurements_topic in problem


@pytest.mark.parametrize("use", [topics.ensure, topics.check])
async def test_nobody_answers(use: object) -> None:
    """An absent broker is one clear error, whatever was asked."""
    settings = settings_for(f"127.0.0.1:{free_port()}")
    with pytest.raises(
        BrokerUnavailableError, match=rf"no Kafka broker answers at {settings.bootstrap_servers}: start"
    ):
        await use(settings)  # type: ignore[operator]
