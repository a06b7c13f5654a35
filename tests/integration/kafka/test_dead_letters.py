"""Dead letters of whatever a producer may write carry it as it was."""

from __future__ import annotations

import pytest

from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.settings import KafkaSettings
from stream_app.wire.batch import Headers
from tests.integration.kafka.running import running, until
from tests.integration.kafka.test_whole_fetches import fetches

pytestmark = pytest.mark.kafka


async def test_odd_headers_survive_the_way_to_the_dead_letters(kafka: KafkaSettings) -> None:
    """Names that are not UTF-8 or empty, null and empty values, the same name twice; the neighbours count."""
    odd: Headers = [("\udcff\udcfe", b"x"), ("", None), ("n", b""), ("n", None), ("ü", b"\xff")]
    producer = BatchProducer(kafka)
    async with running(kafka) as run:
        try:
            await producer.send(
                kafka.measurements_topic,
                0,
                [(b"a", b"1", odd), (b"a", b"?", odd), (b"a", None, [odd[0]] * 3000), (b"a", b"2", odd)],
            )
        finally:
            await producer.discard()
        await until(lambda: run.totals() == {b"a": (2, 3)})
    letters = kafka.model_copy(update={"measurements_topic": kafka.dead_letter_topic})
    # A key's letters are in one partition: the one that Kafka's own partitioner chooses.
    found = [
        (value, list(headers)[:-1])
        for fetch in await fetches(letters, end=2)
        for value, headers in zip(fetch.values, fetch.headers, strict=True)
    ]
    assert found == [(b"?", odd), (None, [odd[0]] * 3000)]
