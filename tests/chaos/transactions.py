"""A transactional producer among the plain ones: some transactions are committed, some aborted, some left open."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream_app.settings import KafkaSettings
from tests.chaos.history import History
from tests.chaos.traffic import Message

#: The broker looks for transactions that are open for too long so often.
BROKER_PROPERTIES = ("transaction.abort.timed.out.transaction.cleanup.interval.ms=500",)
_TIMEOUT_MS = 3000
_PATIENCE_S = 20.0  # a broker that is away is up again by then
_RESTED_S = 0.3
_FATES, _CHANCES = ("commit", "abort", "hang"), (12, 6, 1)


class TransactionalProducer:
    """Writes messages in transactions; those of one that does not count are written again, as a gateway would.

    Parameters
    ----------
    acked
        What is committed for certain is added: (partition, offset) -> value.
    """

    def __init__(
        self, kafka: KafkaSettings, history: History, acked: dict[tuple[int, int], bytes | None], seed: int
    ) -> None:
        self._kafka, self._history, self._acked = kafka, history, acked
        self._dice = random.Random(seed)
        self._names = (f"chaos-{number}" for number in itertools.count())
        self._producer: AIOKafkaProducer | None = None
        self.fates: Counter[str] = Counter()

    async def run(self, messages: Sequence[Message], stop: asyncio.Event) -> None:
        """Write transactions until ``stop`` is set, and end none of them half."""
        at = 0
        while at < len(messages) and not stop.is_set():
            some = messages[at : at + self._dice.randint(1, 40)]
            (fate,) = self._dice.choices(_FATES, _CHANCES)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    counts = await self._transaction(some, fate)
            except (KafkaError, TimeoutError) as error:  # committed or not: the topic knows
                self._history.add("transaction failed", error=repr(error))
                fate, counts = "unknown", False
                await self._give_up()
            self.fates[fate] += 1
            at += len(some) if counts else 0
            await asyncio.sleep(_RESTED_S)
        self._history.add("transactions", **self.fates)
        if self._producer is not None:
            await self._producer.stop()

    async def _transaction(self, messages: Sequence[Message], fate: str) -> bool:
        """Do one transaction; whether it counts."""
        producer = await self._started()
        await producer.begin_transaction()
        acks = [await producer.send(self._kafka.measurements_topic, m.value, key=m.key) for m in messages]
        places = await asyncio.gather(*acks)
        match fate:
            case "commit":
                await producer.commit_transaction()
                for message, place in zip(messages, places, strict=True):
                    self._acked[place.partition, place.offset] = message.value
            case "abort":
                await producer.abort_transaction()
            case _:
                await self._give_up()  # and the broker aborts it in time
                await asyncio.sleep(self._dice.choice((0.0, _TIMEOUT_MS / 1000)))
        return fate == "commit"

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka.bootstrap_servers,
                transactional_id=next(self._names),
                transaction_timeout_ms=_TIMEOUT_MS,
                linger_ms=5,
            )
            await self._producer.start()
        return self._producer

    async def _give_up(self) -> None:
        """Lose the connection as a process that is killed does; the next transaction has a producer of its own."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._txn_manager = None  # else it would abort, or wait for the transaction's end
            await abandon(producer)


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without a word to the broker."""
    producer._closed = True
    if producer._sender.sender_task is not None:
        producer._sender.sender_task.cancel()
        await asyncio.gather(producer._sender.sender_task, return_exceptions=True)
    await producer.client.close()
