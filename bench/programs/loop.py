"""A loop written by hand: two dicts, each second the states that changed go to a changelog, then offsets are committed.

No recovery and no rebalancing: what speed is there to be had in Python when next to nothing is promised.
"""

import time
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer

from bench.programs.fold import Record, advance
from bench.programs.job import (
    BATCHED,
    BROKER,
    CONSUMER_TUNING,
    INPUT,
    OUTPUT,
    PRODUCER_TUNING,
    ROWS_PER_ASSET,
    RUN,
)

_COMMIT_S = 1.0


def main() -> None:
    """Run until killed."""
    consumer = Consumer(
        {
            "bootstrap.servers": BROKER,
            "group.id": RUN,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **CONSUMER_TUNING,
        }
    )
    producer = Producer({"bootstrap.servers": BROKER, "partitioner": "murmur2_random", **PRODUCER_TUNING})
    consumer.subscribe([INPUT])
    states: dict[bytes, list[Any]] = {}
    changed: set[bytes] = set()
    records: list[Record] = []
    due = time.monotonic() + _COMMIT_S
    while True:
        for message in consumer.consume(1000, 0.1):
            if message.error():
                raise RuntimeError(str(message.error()))
            key = message.key()
            value = orjson.loads(message.value())
            rows = value if BATCHED else (value,)
            states[key] = advance(states.get(key), rows[0]["asset_id"], rows, ROWS_PER_ASSET, records.append)
            changed.add(key)
            if records:
                for each in records:
                    producer.produce(OUTPUT, orjson.dumps(each), key)
                records.clear()
        producer.poll(0)
        if changed and time.monotonic() > due:
            for key in changed:
                producer.produce(f"{RUN}-changelog", orjson.dumps(states[key]), key)
            changed.clear()
            producer.flush()
            consumer.commit(asynchronous=False)
            due = time.monotonic() + _COMMIT_S


if __name__ == "__main__":
    main()
