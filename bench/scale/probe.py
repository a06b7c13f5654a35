"""Rows of an asset of its own, sent while a worker is at work, and when each is seen: in the topic, and over HTTP."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.contenders import Job
from bench.scale.client import Connection
from bench.scale.numbers import first_at
from bench.topics import partition_of
from bench.workload import START

ASSET: Final = "probe-000"
_KEY: Final = ASSET.encode()
_FETCH_WAIT_MS: Final = 50
#: Who has not been answered for so long counts as unanswered.
_PATIENCE_S: Final = 30.0
_REPEAT_S: Final = 0.005


@dataclass(slots=True)
class Seen:
    """How long the probes took [s]; those that took longer than the patience are only counted."""

    topic_s: list[float] = field(default_factory=list)
    http_s: list[float] = field(default_factory=list)
    unseen: int = 0


@dataclass(slots=True)
class _Probe:
    sent_at: float
    offset: int = -1
    answered_at: float | None = None


class Prober:
    """Sends probes at their times, whether earlier ones were answered or not (an open loop)."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._probes: list[_Probe] = []
        self._reached: list[tuple[int, float]] = []  # seq of the probes' asset in the topic, and when it was read
        self._idle: list[Connection] = []

    async def run(self, number: int, gap_s: float, seed: int) -> Seen:
        """Send so many probes, ``gap_s`` apart in the mean; irregularly, so that no rhythm of the worker's is met."""
        rng = random.Random(seed)  # noqa: S311  # repeatable on purpose
        producer = AIOKafkaProducer(bootstrap_servers=self._job.broker, acks=1)
        tp = TopicPartition(self._job.output, partition_of(_KEY))
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._job.broker, enable_auto_commit=False, fetch_max_wait_ms=_FETCH_WAIT_MS
        )
        await producer.start()
        try:
            await consumer.start()
            consumer.assign([tp])
            await consumer.seek_to_end(tp)
            watching = asyncio.ensure_future(self._watch(consumer))
            tasks: list[asyncio.Future[None]] = []
            due_at = time.monotonic()
            for index in range(number):
                await asyncio.sleep(max(0.0, due_at - time.monotonic()))
                tasks.append(asyncio.ensure_future(self._probe(producer, index)))
                due_at += rng.uniform(0.5, 1.5) * gap_s
            await asyncio.gather(*tasks)
            await self._last_seen()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        finally:
            await producer.stop()
            await consumer.stop()
            for connection in self._idle:
                await connection.close()
        return self._seen()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            now = time.monotonic()
            if record.key == _KEY:
                seq = orjson.loads(record.value)["seq"]
                if not self._reached or seq > self._reached[-1][0]:
                    self._reached.append((seq, now))

    async def _probe(self, producer: AIOKafkaProducer, index: int) -> None:
        stamp = (START + timedelta(seconds=index)).isoformat()
        row = {"asset_id": ASSET, "timestamp": stamp, "current": -40.0, "voltage": 890.5, "soc": 51.0}
        value = orjson.dumps(row)
        probe = _Probe(time.monotonic())
        self._probes.append(probe)
        sent = await producer.send_and_wait(self._job.input, value, key=_KEY)
        probe.offset = sent.offset
        connection = self._idle.pop() if self._idle else Connection(self._job.http_port)
        path = f"/api/v1/assets/{ASSET}?min_offset={probe.offset}"
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while probe.answered_at is None:
                    status = 0
                    with suppress(OSError):
                        status, _ = await connection.get(path)
                    if status == 200:
                        probe.answered_at = time.monotonic()
                    else:
                        await asyncio.sleep(_REPEAT_S)
        if probe.answered_at is None:
            await connection.close()  # an answer may be under way on it
        else:
            self._idle.append(connection)

    async def _last_seen(self) -> None:
        last = max((probe.offset for probe in self._probes), default=0)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while first_at(self._reached, last) is None:  # noqa: ASYNC110  # simpler than an event for one wait
                    await asyncio.sleep(_REPEAT_S)

    def _seen(self) -> Seen:
        seen = Seen()
        for probe in self._probes:
            read_at = first_at(self._reached, probe.offset)
            if read_at is not None:
                seen.topic_s.append(read_at - probe.sent_at)
            if probe.answered_at is not None:
                seen.http_s.append(probe.answered_at - probe.sent_at)
            seen.unseen += read_at is None or probe.answered_at is None
        return seen
