"""Record batches as columns are equal to what aiokafka reads from the same bytes, record by record."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.words import PADDING
from stream_app.infra.kafka.errors import CorruptLogError
from stream_app.infra.kafka.log.batch_writing import RecordBlock, whole_batches
from stream_app.infra.kafka.log.fetches import fetches
from stream_app.infra.kafka.log.record_batches import Portion, Records, batches
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.wire.batch import Headers

Given = list[tuple[bytes | None, bytes | None, int, list[tuple[str, bytes]]]]
Told = tuple[object, ...]

_bytes = st.one_of(st.none(), st.binary(max_size=200))
_headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
_records = st.lists(st.tuples(_bytes, _bytes, st.integers(0, 2**41), _headers), min_size=1, max_size=30)


def written(records: Given, codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for offset, (key, value, timestamp, headers) in enumerate(records):
        builder.append(offset, timestamp=timestamp, key=key, value=value, headers=headers)
    return bytes(builder.build())


def plain(data: bytes) -> list[Told]:
    """Read with aiokafka."""
    memory = MemoryRecords(data)
    records: list[Told] = []
    while (batch := memory.next_batch()) is not None:
        records += [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in batch]
    return records


def read(data: bytes, room_bytes: int = 0) -> Records:
    portion = Portion(room_bytes)
    for batch in batches(data):
        portion.add(batch)
    return portion.records()


def told(records: Records) -> list[Told]:
    headers = [list(each) for each in records.headers]
    columns = records.offsets.tolist(), records.timestamps_ms.tolist(), records.keys, records.values, headers
    return list(zip(*columns, strict=True))


@given(st.lists(st.tuples(_records, st.integers(0, 4)), min_size=1, max_size=3), st.integers(0, 10_000))
def test_batches_are_read_as_aiokafka_reads_them(parts: list[tuple[Given, int]], room_bytes: int) -> None:
    """Offsets, stamps, keys, values and headers of batches of any compression, with room for them or not."""
    data = b"".join(written(records, codec) for records, codec in parts)
    records = read(data, room_bytes)
    assert told(records) == plain(data)
    assert not records.values.buffer[-PADDING:].any()


@given(_records, st.data())
def test_a_batch_that_is_cut_off_is_left_out(records: Given, data: st.DataObject) -> None:
    """A broker may cut its answer anywhere."""
    whole = written(records, 0)
    cut = data.draw(st.integers(1, len(whole)))
    assert len(list(batches(whole + whole[:-cut]))) == 1


@given(_records, st.data())
def test_a_changed_byte_is_noticed(records: Given, data: st.DataObject) -> None:
    """A change of bytes that the checksum covers is noticed."""
    whole = bytearray(written(records, 0))
    (sound,) = batches(bytes(whole))
    assert sound.is_sound()
    whole[data.draw(st.integers(21, len(whole) - 1))] ^= 0x20
    (changed,) = batches(bytes(whole))
    assert not changed.is_sound()


@pytest.mark.parametrize("magic", [0, 1])
def test_batches_of_older_formats_are_read(magic: int) -> None:
    """A broker that was upgraded may still hold them."""
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    for offset in range(3):
        builder.append(offset, timestamp=5, key=b"k", value=b"%d" % offset)
    data = bytes(builder.build())
    assert all(batch.is_sound() for batch in batches(data))
    records = read(data)
    assert list(records.values) == [b"0", b"1", b"2"]
    assert list(records.keys) == [b"k"] * 3
    assert records.offsets.tolist() == [0, 1, 2]
    assert records.timestamps_ms.tolist() == [-1 if magic == 0 else 5] * 3


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_a_batch_that_cannot_be_unpacked_is_named(codec: int) -> None:
    """A right checksum over damaged records: what stands before it is read, and the place is told."""
    sound = written([(b"a", b"1", 0, [])], 0)
    damaged = bytearray(written([(b"a", b"1" * 500, 0, [])], codec))
    damaged[61:] = b"\x01" * (len(damaged) - 61)
    damaged[0:8] = (1).to_bytes(8, "big")
    damaged[17:21] = calc_crc32c(bytes(damaged[21:])).to_bytes(4, "big")
    found = fetches(TopicPartition("m", 0), sound + bytes(damaged), 0)
    assert list(next(found).values) == [b"1"]
    with pytest.raises(CorruptLogError, match=r"at offset 1 \(it cannot be unpacked: .*without offsets 1 to 1,"):
        next(found)


def test_names_and_values_of_headers_are_any_bytes() -> None:
    """No UTF-8, empty, null; control and transactional bits are read."""
    headers: Headers = [("\udcff", None), ("", b""), ("n", b"\xff")]
    (built,) = whole_batches("t", [RecordBlock.of([(b"k", b"v", headers)])])
    data = bytes(built._build())
    (batch,) = batches(data)
    assert (batch.is_control, batch.is_transactional, batch.producer_id) == (False, False, -1)
    assert [list(each) for each in read(data).headers] == [headers]
