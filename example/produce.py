"""Send the sample day to Kafka as a gateway would: one JSON row a message, keyed by the asset.

usage: python -m example.produce [HOST:PORT [ASSET]]
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer

SAMPLE = Path(__file__).parent / "sample_day.csv"


async def produce(broker: str, asset_id: str) -> int:
    """Send every row; returns how many, all acknowledged."""
    # Idempotent: a message that is sent again after a lost acknowledgement is stored once.
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, linger_ms=20, compression_type="lz4")
    acknowledgements = []
    async with producer:
        with SAMPLE.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                message = {"asset_id": asset_id, "timestamp": row.pop("timestamp")} | {
                    k: float(v) for k, v in row.items()
                }
                # The key decides the partition: all rows of an asset must come in order, so they share one.
                acknowledgements.append(
                    await producer.send("measurements", json.dumps(message).encode(), key=asset_id.encode())
                )
        await asyncio.gather(*acknowledgements)
    return len(acknowledgements)


if __name__ == "__main__":
    broker, asset_id, *_ = [*sys.argv[1:], *["127.0.0.1:9092", "sample-1"][len(sys.argv) - 1 :]]
    print(asyncio.run(produce(broker, asset_id)), "rows sent as", asset_id)
