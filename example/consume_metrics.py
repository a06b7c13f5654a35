"""Follow the metrics topic and keep the newest state of each asset and window.

usage: python -m example.consume_metrics [HOST:PORT]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer

from schemas.metrics import MetricsUpdate


class Newest:
    """Highest ``seq`` seen of each asset and window (kept for ever here): tells a change from a repetition."""

    def __init__(self) -> None:
        self._seq: dict[tuple[str, str, str], int] = {}

    def is_news(self, update: MetricsUpdate) -> bool:
        """Whether the update is newer than all before of its asset and window; it is remembered then."""
        key = (update.asset_id, update.window.size, update.window.start)
        if update.seq <= self._seq.get(key, -1):
            return False  # after a crash, a worker repeats what it may not have written: same seq, same bytes
        self._seq[key] = update.seq
        return True


async def updates(broker: str) -> AsyncIterator[MetricsUpdate]:
    """Yield what is news, from the beginning of the topic."""
    newest = Newest()
    consumer = AIOKafkaConsumer("metrics", bootstrap_servers=broker, auto_offset_reset="earliest")
    async with consumer:
        async for record in consumer:
            update = MetricsUpdate.model_validate_json(record.value)
            if newest.is_news(update):
                yield update


async def main(broker: str) -> None:
    """Print the energy of each window as it closes."""
    async for update in updates(broker):
        if update.final:
            energy = {name: update.metrics[name].value for name in ("energy_in_kwh", "energy_out_kwh")}
            print(update.asset_id, update.window.size, update.window.start, energy)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"))
    except KeyboardInterrupt:
        sys.exit(0)
