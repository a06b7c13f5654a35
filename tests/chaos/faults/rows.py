"""Faults of the input: poison, codecs, duplicates, disorder, other partitioners, broken uploads."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.faults.load import await_progress, note_recovery, under_load
from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import Lab
from tests.chaos.runs import Outcome
from tests.chaos.traffic import START_S, Message, columnar, fleet
from tests.chaos.truth import Truth
from tests.chaos.uploads import CAPACITY_AH, csv_file
from tests.e2e.fleet import crc32_partitioner
from tests.integration.kafka.running import producing, read

_LETTER_LIMIT_S = 1.0


def _row(asset_id: str, second: int, **changes: Any) -> dict[str, Any]:
    row = {"asset_id": asset_id, "timestamp": START_S + 2 * second, "current": 5.0, "voltage": 800.0, "soc": 50.0}
    return row | changes


def _poison(asset_id: str, second: int) -> list[bytes | None]:
    row = _row(asset_id, second)
    text = orjson.dumps(row)
    return [
        b"{",
        b"no json at all",
        b"",
        None,
        b"\xff\xfe\x00",
        b'"\xc3\x28"',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"[]",
        b"17",
        b"null",
        text.replace(b"5.0", b"NaN"),
        text.replace(b"5.0", b"Infinity"),
        text.replace(b"5.0", b"1e400"),
        text.replace(b"5.0", b"9" * 400),
        text.replace(b"5.0", b"true"),
        text.replace(b"5.0", b'"5"'),
        orjson.dumps(row | {"soc": [1, 2]}),
        orjson.dumps(row | {"timestamp": None}),
        orjson.dumps(row | {"timestamp": {}}),
        orjson.dumps(row | {"asset_id": 5}),
        orjson.dumps(row | {"asset_id": "x" * 7_000_000}),
        orjson.dumps({"asset_id": asset_id}),
        orjson.dumps({"asset_id": asset_id, "control": "explode"}),
        orjson.dumps([row | {"current": "x"}, row, 17, row | {"soc": 1e9}]),
        orjson.dumps(columnar([row, row]) | {"current": "x"}),
    ]


async def poison(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F13: each poison message is in the dead letters within a second; its neighbours count, the partition goes on."""
    lab.start(0)
    await lab.ready(0)
    consumer = AIOKafkaConsumer(bootstrap_servers=lab.kafka.bootstrap_servers, fetch_max_wait_ms=50)
    await consumer.start()
    consumer.assign([TopicPartition(lab.kafka.dead_letter_topic, number) for number in range(lab.kafka.partitions)])
    took: list[float] = []
    await lab.produce([Message(b"bess-000", orjson.dumps(_row("bess-000", -1)), 1)])
    await await_progress(lab, 0, 0)  # its first checkpoint imports and connects
    try:
        for second, bad in enumerate(_poison("bess-000", rows)):
            neighbours = [orjson.dumps(_row("bess-000", second, soc=soc)) for soc in (50, 51)]
            async with producing(lab.kafka, max_request_size=8 << 20) as producer:
                for value in (neighbours[0], bad, neighbours[1]):
                    await producer.send(lab.kafka.measurements_topic, value, key=b"bess-000")
                await producer.flush()
            began = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(consumer.getone(), 10)
            took.append(time.monotonic() - began)
            outcome.faults += 1
            if took[-1] > _LETTER_LIMIT_S:
                shown = None if bad is None else bad[:60]
                lab.findings.contradict(f"poison {shown!r} was not in the dead-letter topic after {took[-1]:.1f} s")
        async with producing(lab.kafka) as producer:
            for key in (None, b"", b"a b", b"\xff", b"other"):
                await producer.send(lab.kafka.measurements_topic, orjson.dumps(_row("bess-001", 1)), key=key)
            twice = orjson.dumps(_row("bess-001", 2)).replace(b'"soc":50.0', b'"soc":1.0,"soc":50.0,"unknown":{}')
            await producer.send(lab.kafka.measurements_topic, twice, key=b"bess-001")
    finally:
        await consumer.stop()
    note_recovery(outcome, max(took))
    await drain_and_check(lab, regular=False)


async def codecs(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F15: batches of every compression are read."""
    async with under_load(lab, outcome, rows, workers=1):
        for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
            messages = _renamed(fleet(lab.options.seed + number, 2000), codec)
            await lab.produce(messages, compression_type=codec, max_batch_size=200_000)
            outcome.faults += 1


def _renamed(messages: Sequence[Message], name: str) -> list[Message]:
    """Messages of other assets."""
    return [
        Message(
            m.key and m.key.replace(b"bess", name.encode()), m.value and m.value.replace(b"bess", name.encode()), m.rows
        )
        for m in messages
    ]


async def duplicates(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F20: messages come twice, a file is posted twice, then everything again: rows count by their offset."""
    dice = random.Random(lab.options.seed)
    messages = [m for message in fleet(lab.options.seed, rows) for m in [message] * dice.choice((1, 1, 1, 2))]
    for slot in (0, 1):
        lab.start(slot)
    await lab.ready(0, 1)
    await lab.produce(messages)
    async with httpx.AsyncClient(timeout=60) as client:
        for slot in (0, 1):
            await lab.uploader.send(client, lab.workers[slot].url, 700, **{"Idempotency-Key": "the-same"})
    if len(lab.uploader.accepted) != 2:
        lab.findings.contradict(f"of two equal uploads {len(lab.uploader.accepted)} were accepted")
    await lab.produce(messages)
    outcome.faults = 3
    outcome.recovery_s = await drain_and_check(lab, regular=False)


async def disorder(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F21: late rows, disorder, thirty rows a stamp, future stamps and gaps of days follow the documented rule."""
    dice = random.Random(lab.options.seed)
    messages: list[Message] = []
    seconds = [0] * 20
    while len(messages) < rows:
        number = dice.randrange(20)
        name = f"bess-{number:03d}"
        seconds[number] += dice.choices((0, 1, 30, 100_000, -40), (10, 60, 10, 1, 5))[0]
        for _ in range(30 if dice.random() < 0.02 else 1):
            second = seconds[number] - (dice.randint(1, 20) if dice.random() < 0.1 else 0)
            row = _row(name, second, current=round(dice.gauss(0, 50), 1), soc=round(dice.uniform(10, 90), 1))
            messages.append(Message(name.encode(), orjson.dumps(row), 1))
    far = _row("bess-000", 0) | {"timestamp": "2090-01-01T00:00:00Z"}
    messages.append(Message(b"bess-000", orjson.dumps(far), 1))
    for slot in (0, 1):
        lab.start(slot)
    await lab.ready(0, 1)
    await lab.produce(messages)
    outcome.faults = 5
    outcome.recovery_s = await drain_and_check(lab, regular=False)


def _librdkafka(key: bytes | None, partitions: list[int], available: list[int]) -> int:
    return partitions[0] if key is None else crc32_partitioner(key, partitions, available)


async def foreign_partitioner(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F22: librdkafka's partitioner, then keys that move to another partition: found or 503, never 404."""
    async with under_load(lab, outcome, rows, partitioner=_librdkafka):
        await asyncio.sleep(5)
        lab.kill(0)
        note_recovery(outcome, await await_progress(lab, 1, 0))
        lab.start(0)
        await lab.ready(0)
        outcome.faults = 2
    moved = [Message(f"bess-{n:03d}".encode(), orjson.dumps(_row(f"bess-{n:03d}", 10**6)), 1) for n in range(60)]
    await lab.produce(moved)  # murmur2
    for slot in (0, 1):
        for message in moved:
            assert message.key is not None
            if await lab.status(slot, f"/api/v1/assets/{message.key.decode()}") not in (200, 503):
                lab.findings.contradict(f"worker {slot} does not find {message.key!r} after its move")


async def broken_uploads(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F24: uploads reset midway, stalled, interrupted by SIGTERM: complete or marked failed; exact when repeated."""
    for slot in (0, 1):
        lab.start(slot)
    await lab.ready(0, 1)
    body, content_type = _multipart(csv_file(rows, 1))
    for patience_s in (0.0, 3.0):
        await _broken_off(lab.workers[0].port, body[: len(body) // 2], content_type, len(body), patience_s)
        outcome.faults += 1
    async with httpx.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(lab.uploader.send(client, lab.workers[0].url, rows))
        await asyncio.sleep(0.8)
        await lab.terminate(0)
        outcome.faults += 1
    lab.start(0)
    await lab.ready(0)
    async with httpx.AsyncClient(timeout=60) as client:
        for slot in (0, 1):
            before = len(lab.uploader.accepted)
            await lab.uploader.send(client, lab.workers[slot].url, rows)
            if len(lab.uploader.accepted) == before:
                lab.findings.contradict(f"worker {slot} does not take the file again")
    outcome.recovery_s = await drain_and_check(lab)
    truth = Truth().take(await read(lab.kafka, lab.kafka.measurements_topic))
    open_ended = [asset.asset_id for asset in truth.assets.values() if asset.uploaded and asset.ended is None]
    if open_ended:
        lab.findings.contradict(f"uploads broke off and are not marked as failed: {open_ended}")


def _multipart(file: bytes) -> tuple[bytes, str]:
    request = httpx.Request(
        "POST", "http://x/", files={"data": ("a.csv", file, "text/csv")}, data={"nominal_capacity": str(CAPACITY_AH)}
    )
    return request.read(), request.headers["content-type"]


async def _broken_off(port: int, part: bytes, content_type: str, length: int, patience_s: float) -> None:
    """Send a part of a request, wait, and reset the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/v1/metrics HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    )
    writer.write(head.encode() + part)
    await writer.drain()
    await asyncio.sleep(patience_s)
    writer.transport.abort()
