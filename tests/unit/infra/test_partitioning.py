"""Keys go where Kafka's own producers send them."""

from __future__ import annotations

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.byte_column import ByteColumn
from stream_app.infra.kafka.log.partitioning import partitions_of


@given(st.lists(st.binary(max_size=40), min_size=1), st.integers(1, 2**31 - 1))
def test_keys_are_hashed_as_by_kafka(keys: list[bytes], partitions: int) -> None:
    """Of any length, and with bytes above 127."""
    expected = [(murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
    assert partitions_of(ByteColumn.of(keys), partitions).tolist() == expected
