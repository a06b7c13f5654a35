"""Publishing dead letters once more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_app.errors import ExpectedError
from stream_app.infra.kafka.errors import BrokerError, BrokerFailedError
from stream_app.infra.kafka.log.batch_producer import BatchProducer
from stream_app.infra.kafka.log.letter_log import PROGRESS_MAX_BYTES, LetterLog, ReplayGroup, letter_log, replay_group
from stream_app.infra.kafka.log.partitioning import partition_of
from stream_app.infra.kafka.log.records import Record
from stream_app.settings import KafkaSettings
from stream_app.usecases.letters import StoredLetter
from stream_app.usecases.replay import Choice, Letter, Obstacle, Place, Progress, republished

#: Published together, before the offset is committed: so many are replayed again after a crash at most.
_AT_ONCE: Final = 100
_AT_ONCE_BYTES: Final = 8 << 20


@dataclass(slots=True)
class Outcome:
    """What became of the letters.

    Parameters
    ----------
    replayed
        By code; with a dry run, those that would have been.
    left
        Chosen, but not to be replayed, by reason.
    others
        Not chosen.
    before
        Replayed by an earlier run.
    """

    replayed: Counter[str] = field(default_factory=Counter)
    left: Counter[Obstacle] = field(default_factory=Counter)
    others: int = 0
    before: int = 0


async def find(kafka: KafkaSettings, choice: Choice, limit: int) -> list[Letter]:
    """Read the newest ``limit`` of the chosen letters, the oldest first."""
    newest: list[Letter] = []
    async with letter_log(kafka) as log:
        for number, (begin, end) in (await log.bounds()).items():
            kept: list[Letter] = []
            async for stored in log.letters(number, begin, end):
                letter = Letter.of(stored)
                if choice.takes(letter):
                    kept.append(letter)
                    if len(kept) >= 2 * limit:
                        del kept[:-limit]
            newest += kept[-limit:]
    newest.sort(key=lambda each: (each.stored.timestamp_ms, each.stored.partition, each.stored.offset))
    return newest[-limit:]


async def whole(kafka: KafkaSettings, partition: int, offset: int) -> tuple[Letter, StoredLetter | None] | None:
    """Read a letter, and its original where it is cut and that is still there; None: there is no such letter."""
    async with letter_log(kafka) as log:
        stored = await log.record(log.topic, partition, offset)
        if stored is None:
            return None
        letter = Letter.of(stored)
        return letter, await _original(log, letter) if letter.cut else None


async def _original(log: LetterLog, letter: Letter) -> StoredLetter | None:
    source = letter.source
    found = None if source is None else await log.record(source.topic, source.partition, source.offset)
    return found if found is not None and letter.is_of(found) else None


async def replay(kafka: KafkaSettings, choice: Choice, *, max_attempts: int, dry_run: bool = False) -> Outcome:
    """Publish the chosen letters again that were not replayed yet, each to the partition that it came from.

    Letters that are written meanwhile wait for the next replay. A letter counts as replayed once the broker has
    acknowledged it; after a crash before that is written down, the last hundred at most are published again.

    Raises
    ------
    ExpectedError
        The chosen letters are too scattered to remember which were replayed; those before are done.
    ReplayRunningError, BrokerUnavailableError, AccessError
        Another replay is under way; Kafka does not answer, or not let this client in.
    """
    async with replay_group(kafka) as group:
        run = _Replay(kafka, group, choice, max_attempts, dry_run=dry_run)
        try:
            await run.run()
        except BrokerError as error:
            raise BrokerFailedError(kafka.bootstrap_servers, error) from error
        finally:
            await run.producer.discard()
        return run.outcome


class _Replay:
    def __init__(
        self, kafka: KafkaSettings, group: ReplayGroup, choice: Choice, max_attempts: int, *, dry_run: bool
    ) -> None:
        self._topic = kafka.measurements_topic
        self._group, self._choice, self._max_attempts, self._dry_run = group, choice, max_attempts, dry_run
        self.producer = BatchProducer(kafka)
        self.outcome = Outcome()

    async def run(self) -> None:
        bounds = await self._group.bounds()
        progress = await self._group.progress(bounds)
        for number, (_, end) in bounds.items():
            await self._partition(number, progress[number], end)

    async def _partition(self, number: int, progress: Progress, end: int) -> None:
        waiting: list[tuple[Letter, StoredLetter | None]] = []
        size = 0
        async for stored in self._group.letters(number, progress.position, end):
            if progress.has(stored.offset):
                self.outcome.before += 1
                continue
            letter = Letter.of(stored)
            if not self._choice.takes(letter):
                self.outcome.others += 1
                continue
            obstacle = letter.obstacle(self._topic, self._max_attempts)
            original = None if obstacle or not letter.cut else await _original(self._group, letter)
            if letter.cut and original is None:
                obstacle = obstacle or "original_gone"
            if obstacle is not None:
                self.outcome.left[obstacle] += 1
                continue
            waiting.append((letter, original))
            size += len((original or stored).value or b"")
            if len(waiting) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
                await self._publish(number, progress, waiting)
                waiting, size = [], 0
        await self._publish(number, progress, waiting)

    async def _publish(
        self, number: int, progress: Progress, letters: Sequence[tuple[Letter, StoredLetter | None]]
    ) -> None:
        if letters and not self._dry_run:
            before = progress.position, progress.dump()
            for letter, _ in letters:
                progress.add(letter.stored.offset)
            if len(progress.dump()) > PROGRESS_MAX_BYTES:
                progress = Progress.load(*before)
                first = letters[0][0].stored.offset
                msg = (
                    f"the chosen letters of partition {number} are too scattered from offset {first} on to remember "
                    "which were replayed: replay those between them first, such as all of their code"
                )
                raise ExpectedError(msg)
            by_target: defaultdict[int, list[Record]] = defaultdict(list)
            count = await self.producer.partitions(self._topic)
            for letter, original in letters:
                record = republished(letter, original)
                by_target[self._target(letter, record[0], count)].append(record)
            for target, records in by_target.items():
                await self.producer.send(self._topic, target, records)
            await self._group.commit(number, progress)
        self.outcome.replayed.update(letter.code for letter, _ in letters)

    def _target(self, letter: Letter, key: bytes | None, count: int) -> int:
        """Partition of a replay: an asset's rows stay together, unless it is in the wrong one."""
        source: Place = letter.source  # type: ignore[assignment]  # a letter without it is not replayed
        if letter.code == "wrong_partition" and key is not None:
            return partition_of(key, count)
        return source.partition
