"""Messages of the producers: rows of a fleet in every form that the topic accepts, some of them invalid."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream_app.settings import KafkaSettings
from tests.chaos.history import History

START_S = 1_649_808_000
STEP_S = 2
#: An asset's first rows have no faults and gaps: the processor learns the sampling period from them.
_LEARNING_ROWS = 30

_SINGLE, _LIST = 0.93, 0.055  # shares of messages; the rest are columnar batches
_BAD_MESSAGES = 0.006
_REPEATED, _GAPS = 0.02, 0.002


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the measurements topic and its number of rows."""

    key: bytes | None
    value: bytes | None
    rows: int


class Asset:
    """Generates one asset's rows in time order."""

    def __init__(self, number: int, rng: np.random.Generator, start_s: int, name: str) -> None:
        self.id = f"{name}-{number:03d}"
        self._rng = rng
        self._phase = number * 0.7
        self.time_s = start_s + number
        self.made = 0
        self._may_gap = False

    def rows(self, count: int) -> list[dict[str, Any]]:
        """Next rows: one every two seconds, sometimes two with the same stamp, sometimes after a gap."""
        k = (self.made + np.arange(count)) / 300 + self._phase
        self.made += count
        soc = np.round(50 + 35 * np.sin(k) + self._rng.normal(0, 0.1, count), 1).tolist()
        current = np.round(60 * np.cos(k) + self._rng.normal(0, 4, count), 1).tolist()
        chances = self._rng.random((count, 2)).tolist()
        rows = []
        for i in range(count):
            step, null = chances[i]
            settled = self.made > _LEARNING_ROWS
            if settled and step < _REPEATED:
                self._may_gap = False
            elif settled and step > 1 - _GAPS and self._may_gap:
                self.time_s += int(self._rng.integers(60, 7200))
            else:
                self.time_s += STEP_S
                self._may_gap = True
            rows.append(
                {
                    "asset_id": self.id,
                    "timestamp": self.time_s,
                    "current": current[i],
                    "voltage": round(816 + 1.8 * soc[i] + 0.12 * current[i], 1),
                    "soc": None if null < 0.01 else soc[i],
                }
            )
        return rows


def fleet(seed: int, rows: int, assets: int = 60, *, start_s: int = START_S, name: str = "bess") -> list[Message]:
    """Messages with at least ``rows`` rows, the same for the same seed."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    members = [Asset(number, rng, start_s, name) for number in range(assets)]
    messages: list[Message] = []
    made = 0
    while made < rows:
        asset, chance = dice.choice(members), dice.random()
        if chance < _SINGLE:
            (row,) = asset.rows(1)
            row["timestamp"] = _stamp(dice, row["timestamp"])
            message = _message(asset.id, row, 1)
        elif chance < _SINGLE + _LIST:
            count = dice.randint(2, 20)
            message = _message(asset.id, asset.rows(count), count)
        else:
            count = dice.randint(20, 80)
            message = _message(asset.id, columnar(asset.rows(count)), count)
        messages.append(message)
        made += message.rows
        if asset.made > _LEARNING_ROWS and dice.random() < _BAD_MESSAGES:
            messages.append(_bad(dice, asset))
            made += messages[-1].rows
    return messages


def columnar(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of one asset as a columnar batch."""
    names = [name for name in rows[0] if name != "asset_id"]
    return {"asset_id": rows[0]["asset_id"], **{name: [row[name] for row in rows] for name in names}}


def _message(key: str, content: Any, rows: int) -> Message:
    return Message(key.encode(), orjson.dumps(content), rows)


def _stamp(dice: random.Random, time_s: int) -> int | str:
    kind = dice.random()
    if kind < 0.7:
        return time_s
    if kind < 0.85:
        return time_s * 1000
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")


def _bad(dice: random.Random, asset: Asset) -> Message:
    """A message that must end in the dead-letter topic, whole or in part."""
    kind = dice.choice(_BAD)
    return kind(dice, asset)


def _changed(**changes: Any) -> Callable[[random.Random, Asset], Message]:
    def make(dice: random.Random, asset: Asset) -> Message:
        return _message(asset.id, asset.rows(1)[0] | changes, 1)

    return make


def _late(dice: random.Random, asset: Asset) -> Message:
    (row,) = asset.rows(1)
    return _message(asset.id, row | {"timestamp": START_S - 86_400}, 1)


def _without_key(dice: random.Random, asset: Asset) -> Message:
    return Message(None, orjson.dumps(asset.rows(1)[0]), 1)


def _half_bad_list(dice: random.Random, asset: Asset) -> Message:
    rows = asset.rows(6)
    rows[1]["voltage"] = "much"
    rows[3]["asset_id"] = "somebody-else"
    rows[4]["timestamp"] = START_S - 86_400
    return _message(asset.id, rows, 6)


def _half_bad_batch(dice: random.Random, asset: Asset) -> Message:
    batch = columnar(asset.rows(12))
    batch["soc"][5] = 900.0
    batch["timestamp"][7] = "yesterday"
    return _message(asset.id, batch, 12)


def _uneven_batch(dice: random.Random, asset: Asset) -> Message:
    batch = columnar(asset.rows(4))
    del batch["soc"][-1]
    return _message(asset.id, batch, 4)


_BAD: Sequence[Callable[[random.Random, Asset], Message]] = (
    _changed(current="12"),
    _changed(voltage=1e9),
    _changed(timestamp="not a time"),
    _changed(asset_id="somebody-else"),
    _late,
    _without_key,
    _half_bad_list,
    _half_bad_batch,
    _uneven_batch,
    lambda dice, asset: Message(asset.id.encode(), None, 1),
    lambda dice, asset: Message(asset.id.encode(), b'{"asset_id": "', 1),
    lambda dice, asset: Message(
        asset.id.encode(), orjson.dumps(asset.rows(1)[0]).replace(b'"soc":', b'"soc":NaN,"x":'), 1
    ),
)


class Producer:
    """Writes messages at a bounded rate through all faults of the broker; every message is acked in the end."""

    def __init__(
        self,
        kafka: KafkaSettings,
        history: History,
        acked: dict[tuple[int, int], bytes | None],
        **options: Any,
    ) -> None:
        self._kafka, self._history, self._acked, self._options = kafka, history, acked, options

    async def run(self, messages: Sequence[Message], rate: float, enough: asyncio.Event | None = None) -> None:
        """Send all, or until ``enough`` is set, at ``rate`` rows a second, and wait for the acks."""
        options = {"linger_ms": 10, "enable_idempotence": True, "request_timeout_ms": 120_000} | self._options
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka.bootstrap_servers, **options)
        await producer.start()
        loop = asyncio.get_running_loop()
        began, paced = loop.time(), 0
        acks = []
        try:
            for message in messages:
                if enough is not None and enough.is_set():
                    break
                acks.append(await self._send(producer, message))
                paced += message.rows
                if (ahead_s := paced / rate - (loop.time() - began)) > 0.05:
                    await asyncio.sleep(ahead_s)
            for message, ack in zip(messages, acks, strict=False):
                place = await ack
                if place is not None and place.offset >= 0:  # -1 for a batch that the broker already had
                    self._acked[place.partition, place.offset] = message.value
        finally:
            await producer.stop()
        self._history.add("produced", messages=len(acks), rows=paced)

    async def _send(self, producer: AIOKafkaProducer, message: Message) -> Any:
        while True:
            try:
                return await producer.send(self._kafka.measurements_topic, message.value, key=message.key)
            except KafkaError as error:  # the producer did not accept the message
                self._history.add("producer waits", error=repr(error))
                await asyncio.sleep(0.5)
