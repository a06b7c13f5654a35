"""How large the state is: the newest entry of each key in a compacted topic."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.topics import PARTITIONS
from stream_app.app.ports import MARKER_KEY


@dataclass(frozen=True, slots=True)
class StateSize:
    """Entries that hold, and their bytes."""

    entries: int
    value_bytes: int

    @property
    def bytes_per_entry(self) -> float | None:
        """Mean size of a value."""
        return self.value_bytes / self.entries if self.entries else None


async def state_size(broker: str, topic: str) -> StateSize:
    """Read a changelog; the positions' markers do not count."""
    sizes: dict[bytes, int] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    if record.value is None:
                        sizes.pop(record.key, None)
                    elif record.key != MARKER_KEY:
                        sizes[record.key] = len(record.value)
    finally:
        await consumer.stop()
    return StateSize(len(sizes), sum(sizes.values()))
