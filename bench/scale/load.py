"""``python -m bench.scale.load``: rows at a steady pace into a topic, from a process of its own, until SIGTERM.

It writes a line when it begins, and one of JSON, what it has sent, when it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import Final

from aiokafka import AIOKafkaProducer

from bench.scale.cycle import CYCLE_S, Cycle, ReadyBatch, rows_per_batch
from bench.scale.numbers import Pace

_MAX_REQUEST_BYTES: Final = 8 << 20


async def _run(asked: argparse.Namespace) -> None:
    cycle = Cycle(asked.assets, rows_per_batch(asked.rate), asked.cycle_seconds)
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    producer = AIOKafkaProducer(bootstrap_servers=asked.broker, acks=1, max_request_size=_MAX_REQUEST_BYTES)
    await producer.start()
    sent, cycles, behind_s = 0, asked.first_cycle, 0.0
    try:
        _tell("began")
        began_at = time.monotonic()
        pace = Pace(asked.rate, began_at)
        for number, partition, rows, content in _batches(cycle, asked.first_cycle):
            now = time.monotonic()
            if stop.is_set() or now - began_at > asked.most_seconds:
                break
            behind_s = max(behind_s, now - pace.due_at(sent))
            if wait_s := pace.wait_s(sent, now):
                await asyncio.sleep(wait_s)
            await producer.send_batch(ReadyBatch(content, rows), asked.topic, partition=partition)
            sent, cycles = sent + rows, number + 1
        await producer.flush()
        took_s = time.monotonic() - began_at
    finally:
        await producer.stop()
    report = {"rows": sent, "took_s": took_s, "behind_s": behind_s, "next_cycle": cycles, "cpu_s": time.process_time()}
    _tell(json.dumps(report))


def _batches(cycle: Cycle, first_cycle: int) -> Iterator[tuple[int, int, int, bytes]]:
    number = first_cycle
    while True:
        for batch in cycle.batches(number, int(time.time() * 1000)):
            yield (number, *batch)
        number += 1


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Send rows until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale.load", description=__doc__)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=float, required=True, help="rows per second")
    parser.add_argument("--assets", type=int, default=100)
    parser.add_argument(
        "--cycle-seconds", type=int, default=CYCLE_S, help="event time of a cycle; less memory for more assets"
    )
    parser.add_argument("--first-cycle", type=int, default=0, help="where event time goes on")
    parser.add_argument("--most-seconds", type=float, default=300.0, help="it ends by itself then")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
