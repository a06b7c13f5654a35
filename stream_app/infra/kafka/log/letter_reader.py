"""The newest records of the dead-letter topic, read when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError
from stream_app.infra.kafka.log.letter_log import letter_log
from stream_app.settings import KafkaSettings
from stream_app.usecases.errors import UnavailableError
from stream_app.usecases.ports import StoredLetter

#: Questions at a time: each has a client of its own.
_AT_ONCE: Final = 2
_PATIENCE_S: Final = 20.0


class LetterReader:
    """Reads dead letters (port ``DeadLetterLog``)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def newest(self, count: int) -> Sequence[StoredLetter]:
        """Read the newest ``count`` letters of each partition; UnavailableError: the broker does not answer."""
        try:
            async with self._turn, asyncio.timeout(_PATIENCE_S):
                return await self._read(count)
        except (BrokerUnavailableError, AccessError, TimeoutError) as error:
            raise UnavailableError("broker_unavailable", "Kafka does not answer; ask again when it does") from error

    async def _read(self, count: int) -> Sequence[StoredLetter]:
        letters: list[StoredLetter] = []
        async with letter_log(self._kafka) as log:
            for number, (begin, end) in (await log.bounds()).items():
                letters += [each async for each in log.letters(number, max(begin, end - count), end)]
        return letters
