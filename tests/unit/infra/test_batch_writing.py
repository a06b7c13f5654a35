"""Written batches are what aiokafka reads and what its own builder would have written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream_app.infra.kafka.errors import RecordTooLargeError
from stream_app.infra.kafka.log import batch_writing
from stream_app.infra.kafka.log.batch_writing import WholeBatch, blocks, whole_batches
from stream_app.infra.kafka.log.compression import CODECS
from stream_app.infra.kafka.log.record_batches import Portion, batches
from stream_app.infra.kafka.log.records import Record
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES
from stream_app.settings import Compression

_bytes = st.one_of(st.none(), st.binary(max_size=300))
_headers = st.lists(st.tuples(st.text(max_size=70), st.one_of(st.none(), st.binary(max_size=70))), max_size=3)
_records = st.lists(st.tuples(_bytes, _bytes, _headers), min_size=1, max_size=150)


def batches_of(records: list[Record], codec: Compression = "zstd") -> Iterator[WholeBatch]:
    return whole_batches("t", blocks(records), CODECS[codec])


def read(batch: WholeBatch) -> list[tuple[object, ...]]:
    memory = MemoryRecords(bytes(batch._build())).next_batch()
    assert memory.validate_crc()
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in memory]


@given(_records, st.sampled_from(sorted(CODECS)))
def test_every_record_is_read_as_it_was_given(records: list[Record], codec: Compression) -> None:
    """Keys, values and headers, null ones too, in each codec, by aiokafka and by our own reader."""
    (batch,) = batches_of(records, codec)
    batch._set_producer_state(5, 1, 3)
    assert [(offset, *record) for offset, _, *record in read(batch)] == [
        (i, *record) for i, record in enumerate(records)
    ]
    (own,) = batches(bytes(batch._build()))
    assert own.is_sound()
    portion = Portion(100)
    portion.add(own)
    columns = portion.records()
    assert list(zip(columns.keys, columns.values, map(list, columns.headers), strict=True)) == records
    assert (len(batch._build()), batch.record_count()) == (batch.size(), len(records))


@pytest.mark.parametrize(("codec", "number"), [("none", 0), ("gzip", 1), ("lz4", 3), ("zstd", 4)])
def test_a_batch_names_its_codec(codec: Compression, number: int) -> None:
    """Where it makes the batch smaller; else the batch is not compressed."""
    built = [batch for value in (bytes(1000), b"") for batch in batches_of([(b"a", value, [])], codec)]
    codecs = [MemoryRecords(bytes(batch._build())).next_batch().compression_type for batch in built]
    assert codecs == [number, 0]


def test_the_producer_s_numbers_stand_in_the_batch() -> None:
    """Without them the broker would not notice that it has the batch already."""
    (batch,) = batches_of([(b"a", b"1", [])])
    batch._set_producer_state(5, 1, 3)
    memory = MemoryRecords(bytes(batch._build())).next_batch()
    assert (memory.producer_id, memory.producer_epoch, memory.base_sequence) == (5, 1, 3)


def test_batches_are_bounded_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is larger than a batch has one of its own."""
    monkeypatch.setattr(batch_writing, "_BATCH_BYTES", 1000)
    records: list[Record] = [(b"k", b"%d" % i * (2000 if i == 3 else 10), []) for i in range(40)]
    parts = [read(batch) for batch in batches_of(records)]
    assert [(key, value, headers) for part in parts for _, _, key, value, headers in part] == records
    assert [len(part) for part in parts][:3] == [3, 1, 35]
    assert list(batches_of([])) == []


def test_a_record_over_the_limit_is_refused_behind_what_came_before() -> None:
    """The batches before it have been yielded."""
    value = bytes(RECORD_MAX_BYTES // 2)
    built = batches_of([(b"a", value, []), (b"b", value, []), (b"c", value + value, [])])
    assert next(built).record_count() == 1
    with pytest.raises(RecordTooLargeError, match="'c'"):
        list(built)
