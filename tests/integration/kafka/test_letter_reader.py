"""Dead letters are read from Kafka when somebody asks."""

from __future__ import annotations

import pytest

from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.letter_reader import LetterReader
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from tests.kafka import settings_for
from tests.ports import free_port

pytestmark = pytest.mark.kafka


async def test_the_newest_letters_of_each_partition_are_read(kafka: KafkaSettings) -> None:
    """Of each as many as wanted; of an empty topic none."""
    reader = LetterReader(kafka)
    assert await reader.newest(10) == []
    producer = BatchProducer(kafka)
    for partition in (0, 2):
        records = [(b"k", b"%d" % i, [("h", b"x")]) for i in range(5)]
        await producer.send(kafka.dead_letter_topic, partition, records)
    await producer.discard()
    letters = await reader.newest(3)
    assert sorted((each.partition, each.offset, each.value) for each in letters) == [
        (partition, offset, b"%d" % offset) for partition in (0, 2) for offset in (2, 3, 4)
    ]
    assert {(each.key, tuple(each.headers)) for each in letters} == {(b"k", (("h", b"x"),))}


async def test_a_broker_that_is_away_is_told() -> None:
    """Asking again is right."""
    with pytest.raises(UnavailableError, match="Kafka does not answer"):
        await LetterReader(settings_for(f"127.0.0.1:{free_port()}")).newest(1)
