"""Rights at Kafka: the least ones suffice, and each that is missing is named with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer

from schemas.rejected import HEADER_PREFIX
from stream_app.infra.kafka.dead_letter_replay import replay
from stream_app.infra.kafka.errors import TopicsError
from stream_app.infra.kafka.log import rights, topics
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.rights import Right, needed
from stream_app.settings import KafkaSettings
from stream_app.usecases.replay import Choice
from tests.integration.kafka.running import numbers, running, until
from tests.integration.secured.broker import CERTIFIED, USER, Secured

pytestmark = pytest.mark.kafka


def single(kafka: KafkaSettings) -> Iterator[Right]:
    """Each needed right alone."""
    for right in needed(kafka):
        for operation in right.operations:
            yield replace(right, operations=[operation])


async def send(kafka: KafkaSettings, count: int) -> None:
    producer = AIOKafkaProducer(**client_options(kafka))
    await producer.start()
    for key, value in numbers(count):
        await producer.send_and_wait(kafka.measurements_topic, value, key=key)
    await producer.stop()


@pytest.mark.parametrize(("way", "principal"), [("as_user", USER), ("as_certified", CERTIFIED)])
async def test_a_worker_runs_with_the_least_rights(secured: Secured, way: str, principal: str) -> None:
    """Every client of it gets in, over TLS: topics, consumer, changelogs, producer; and it recovers its state."""
    kafka: KafkaSettings = getattr(secured, way)()
    await topics.ensure(secured.as_everybody(kafka))
    await secured.grant(principal, needed(kafka))
    unread: list[str] = []
    assert await topics.check(kafka, unread.append) == []
    assert ["DescribeConfigs" in line for line in unread] == [True]  # it is not one of them
    async with running(kafka) as run:
        await send(kafka, 40)
        await until(lambda: run.rows() == 40)
    async with running(kafka) as run:
        assert run.rows() == 40


async def test_each_missing_right_is_named(secured: Secured) -> None:
    """Alone, with what it is for and the command that grants it; the topics are not taken for missing."""
    for number in range(len(list(single(secured.as_user())))):
        kafka = secured.as_user()
        await topics.ensure(secured.as_everybody(kafka))
        granted = list(single(kafka))
        left_out = granted.pop(number)
        await secured.grant(USER, granted)
        (problem,) = await topics.check(kafka, lambda _: None)
        (operation,) = left_out.operations
        assert f"user 'app' has no right to {operation} {left_out.kind} {left_out.name!r}: run kafka-acls.sh" in problem
        assert f"--allow-principal 'User:app' --operation {operation} --{left_out.kind} {left_out.name}" in problem


async def test_a_worker_without_rights_ends_and_names_all(secured: Secured) -> None:
    """It does not wait for a topic that it may not see."""
    kafka = secured.as_user()
    await topics.ensure(secured.as_everybody(kafka))
    async with running(kafka, ready=False) as run:
        with pytest.raises(TopicsError) as caught:
            await run.task
    assert len(caught.value.problems) == len(needed(kafka))
    assert "is missing" not in str(caught.value)


async def test_a_topic_that_is_missing_is_not_taken_for_a_hidden_one(secured: Secured) -> None:
    """Whoever may see it is told to create it; whoever may not is told of the right."""
    kafka = secured.as_user()
    assert all("is missing" in problem for problem in await topics.check(secured.as_everybody(kafka), lambda _: None))
    await secured.grant(USER, needed(kafka))
    assert all("is missing" in problem for problem in await topics.check(kafka, lambda _: None))


async def test_the_commands_grant_what_is_needed(secured: Secured) -> None:
    """``topics ensure --acls`` prints one for each, and for what only some need."""
    kafka = secured.as_user()
    lines = list(rights.commands(kafka, "User:app"))
    for right in needed(kafka):
        operations = " ".join(f"--operation {each}" for each in right.operations)
        assert any(line.endswith(f"{operations} --{right.kind} {right.name}") for line in lines)
    assert len([line for line in lines if "# for" in line]) == len(lines) - len(needed(kafka))


async def test_a_replay_needs_what_is_documented(secured: Secured) -> None:
    """Read on the dead letters and on its group, beside the worker's."""
    kafka = secured.as_user()
    everybody = secured.as_everybody(kafka)
    await topics.ensure(everybody)
    told = {"code": "late", "topic": kafka.measurements_topic, "partition": "0", "offset": "0", "message": "late"}
    producer = BatchProducer(everybody)
    headers = [(HEADER_PREFIX + name, value.encode()) for name, value in told.items()]
    await producer.send(kafka.dead_letter_topic, 0, [(b"a", b"1", headers)])
    await producer.discard()
    useful = [Right("topic", kafka.dead_letter_topic, ["Read"]), Right("group", f"{kafka.app_id}-dlq-replay", ["Read"])]
    await secured.grant(USER, [*needed(kafka), *useful])
    assert (await replay(kafka, Choice(), max_attempts=1)).replayed == {"late": 1}
