"""A checkpoint is written in its order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from stream_app.domain.snapshot import FORMAT, HEADER
from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.topics import Topics
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.settings import KafkaSettings
from stream_app.usecases.entry import Entry
from stream_app.usecases.ports import MARKER_KEY, Checkpoint, DeadLetter
from stream_app.wire.encode.update_list import UpdateList, UpdateRecord
from tests.integration.kafka.running import read

pytestmark = pytest.mark.kafka

_HEADERS = b"\x02\x08size\x041m"  # one, as a record has it


@pytest.fixture
async def sink(kafka: KafkaSettings) -> AsyncIterator[CheckpointSink]:
    sink = CheckpointSink(kafka)
    yield sink
    await sink.discard()


def _value(content: bytes) -> bytes:
    return HEADER.pack(FORMAT, 8) + content


async def batches(sink: CheckpointSink, updates: Sequence[UpdateRecord]) -> UpdateBatches:
    """Batches as a sink takes them."""
    await sink.prepare()
    built = sink.update_batches()
    list(built.put(UpdateList.of(updates)))
    return built


async def test_a_checkpoint_goes_out_in_its_order(kafka: KafkaSettings, sink: CheckpointSink) -> None:
    """Updates by murmur2 of the asset, letters with their headers, state on the source's partition, marker last."""
    checkpoint = Checkpoint(
        partition=2,
        position=9,
        dead_letters=[DeadLetter(b"a", b"?", [("why", b"because")]), DeadLetter(None, None, [("why", b"empty")])],
        windows=[Entry.of(b"a\x00w", _value(b"w"), 8)],
        assets=[Entry.of(b"a", _value(b"s"), 8), Entry.of(b"gone", None, 5), Entry.of(MARKER_KEY, _value(b"m"), 9)],
    )
    windows, assets = await sink.write(
        checkpoint,
        await batches(sink, [UpdateRecord(b"a", b"a", b"1", _HEADERS), UpdateRecord(b"b", b"b/1m/0", b"2", _HEADERS)]),
    )
    assert (windows and windows.last, assets and assets.last) == (0, 2)
    updates = await read(kafka, kafka.metrics_topic)
    assert {(r.key, r.partition, r.headers) for r in updates} == {
        (key, partition_of(asset, 4), (("size", b"1m"),)) for asset, key in ((b"a", b"a"), (b"b", b"b/1m/0"))
    }
    letters = {(r.key, r.value, r.headers) for r in await read(kafka, kafka.dead_letter_topic)}
    assert letters == {(b"a", b"?", (("why", b"because"),)), (None, None, (("why", b"empty"),))}
    entries = await read(kafka, Topics.of(kafka).assets_changelog)
    assert [(r.partition, r.key, r.value, r.headers) for r in entries] == [
        (2, b"a", _value(b"s"), ()),
        (2, b"gone", None, (("offset", b"5"),)),  # a deletion has its source offset too
        (2, MARKER_KEY, _value(b"m"), ()),
    ]
