"""Rows of many assets, and a producer that writes them while other things happen."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from stream_app.settings import KafkaSettings

START_S = 1_649_808_000


def telemetry(assets: int, rows_each: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """One row per asset and second, in time order."""
    rng = np.random.default_rng(seed)
    soc = (
        50
        + 35 * np.sin(np.arange(rows_each)[:, None] / 300 + np.arange(assets))
        + rng.normal(0, 0.1, (rows_each, assets))
    )
    current = 60 * np.cos(np.arange(rows_each)[:, None] / 300 + np.arange(assets)) + rng.normal(
        0, 4, (rows_each, assets)
    )
    voltage = 816 + 1.8 * soc + 0.12 * current
    for i in range(rows_each):
        for asset in range(assets):
            yield {
                "asset_id": f"bess-{asset:03d}",
                "timestamp": START_S + i,
                "current": round(float(current[i, asset]), 1),
                "voltage": round(float(voltage[i, asset]), 1),
                "soc": round(float(soc[i, asset]), 1),
            }


def crc32_partitioner(key: bytes, all_partitions: list[int], available: list[int]) -> int:
    """Partition as librdkafka's default producers choose it."""
    return all_partitions[zlib.crc32(key) % len(all_partitions)]


class Producer(threading.Thread):
    """Writes rows as single JSON messages at a bounded rate; ``sent`` tells how far it is."""

    def __init__(self, kafka: KafkaSettings, rows: list[dict[str, Any]], *, rate: float, crc32: bool = False) -> None:
        super().__init__(daemon=True)
        self._kafka, self._rows, self._rate, self._crc32 = kafka, rows, rate, crc32
        self.sent = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.error = error
            raise

    async def _run(self) -> None:
        options = {"partitioner": crc32_partitioner} if self._crc32 else {}
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka.bootstrap_servers, linger_ms=5, enable_idempotence=True, **options
        )
        await producer.start()
        try:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for i, row in enumerate(self._rows):
                value = json.dumps(row, separators=(",", ":")).encode()
                await producer.send(self._kafka.measurements_topic, value, key=row["asset_id"].encode())
                self.sent = i + 1
                if i % 500 == 0 and (ahead_s := i / self._rate - (loop.time() - began)) > 0:
                    await asyncio.sleep(ahead_s)
            await producer.flush()
        finally:
            await producer.stop()

    def done(self) -> bool:
        """Whether all rows are acked."""
        if self.error is not None:
            raise self.error
        return not self.is_alive()
