"""The newest records of the dead-letter topic, read when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError
from stream_app.infra.kafka.log.letter_log import letter_log
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.letters import StoredLetter

#: Questions at a time: each has a client of its own.
_AT_ONCE: Final = 2
_PATIENCE_S: Final = 20.0

#: What is read of a partition that begins and ends at these offsets: the first, and the one after the last.
Part = Callable[[int, int], tuple[int, int]]


class LetterReader:
    """Reads dead letters (port ``DeadLetterLog``)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        """Read the newest ``count`` letters of each partition; UnavailableError: the broker does not answer."""
        return await self._answer(lambda begin, end: (max(begin, end - count), end))

    async def one(self, partition: int, offset: int) -> StoredLetter | None:
        """Read the letter at a place; None: there is none. UnavailableError as :meth:`newest`."""
        found = await self._answer(lambda begin, end: (max(begin, offset), min(end, offset + 1)), partition)
        return next((letter for letter in found if letter.offset == offset), None)

    async def _answer(self, part: Part, partition: int | None = None) -> Sequence[StoredLetter]:
        try:
            async with self._turn, asyncio.timeout(_PATIENCE_S):
                return await self._read(part, partition)
        except (BrokerUnavailableError, AccessError, TimeoutError) as error:
            raise UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does") from error

    async def _read(self, part: Part, partition: int | None) -> Sequence[StoredLetter]:
        letters: list[StoredLetter] = []
        async with letter_log(self._kafka) as log:
            for number, (begin, end) in (await log.bounds()).items():
                first, last = part(begin, end)
                if partition in (None, number) and first < last:
                    letters += [each async for each in log.letters(number, first, last)]
        return letters
