"""The end of the metrics topic: which source offsets have reached it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.lab import Lab

_LIMIT_S = 60.0


class Output:
    """Follows the topic's end."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._consumer = AIOKafkaConsumer(bootstrap_servers=lab.kafka.bootstrap_servers, fetch_max_wait_ms=50)
        self._seqs: dict[int, int] = {}
        self._grown = asyncio.Event()
        self._came: dict[int, float] = {}
        self._still_s: dict[int, float] = {}

    async def run(self, begun: asyncio.Event) -> None:
        """Follow until cancelled."""
        async with self._consumer:
            topic = self._lab.kafka.metrics_topic
            self._consumer.assign([TopicPartition(topic, number) for number in range(self._lab.kafka.partitions)])
            await self._consumer.seek_to_end()
            begun.set()
            async for record in self._consumer:
                # Both topics have the same partitions and partitioner.
                seq: int = orjson.loads(record.value)["seq"]
                self._seqs[record.partition] = max(seq, self._seqs.get(record.partition, -1))
                self._note(record.partition, time.monotonic())
                self._grown.set()

    def _note(self, partition: int, now: float) -> None:
        still_s = now - self._came.get(partition, now)
        self._still_s[partition] = max(still_s, self._still_s.get(partition, 0.0))
        self._came[partition] = now

    def longest_still_s(self) -> list[float]:
        """Longest time without new output of each partition since the last call [s]."""
        now = time.monotonic()
        found = [max(longest, now - self._came[number]) for number, longest in self._still_s.items()]
        self._still_s = dict.fromkeys(self._still_s, 0.0)
        return found

    async def source_ends(self) -> dict[int, int]:
        """Offset of the next message of each source partition."""
        topic, count = self._lab.kafka.measurements_topic, self._lab.kafka.partitions
        ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in range(count)])
        return {tp.partition: offset for tp, offset in ends.items()}

    async def reaches(self, offsets: Mapping[int, int]) -> None:
        """Wait until every partition has output with at least this seq."""
        missing = list(offsets)
        try:
            async with asyncio.timeout(_LIMIT_S):
                while missing := [number for number in missing if self._seqs.get(number, -1) < offsets[number]]:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            self._lab.findings.contradict(f"fail-over: no new output of {missing} within {_LIMIT_S:.0f} s")


@asynccontextmanager
async def following(lab: Lab) -> AsyncIterator[Output]:
    """Follow the output meanwhile."""
    output, begun = Output(lab), asyncio.Event()
    task = asyncio.create_task(output.run(begun))
    begins = asyncio.create_task(begun.wait())
    try:
        await asyncio.wait({task, begins}, return_when=asyncio.FIRST_COMPLETED)
        yield output
    finally:
        begins.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
