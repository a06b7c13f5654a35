"""A run in one process and without Kafka: what the real command side makes of messages, to be tampered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.ingest import Ingest, Retention
from stream_app.usecases.ports import Checkpoint
from stream_app.wire.batch import Fetch
from stream_app.wire.decode import Codec
from tests.chaos import verdict as checks
from tests.chaos.traffic import Message
from tests.chaos.truth import Truth
from tests.chaos.verdict import Verdict

CUT = 900  # messages before the first checkpoint


@dataclass(frozen=True)
class Kept:
    """A record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class NoTables:
    """Tables of a worker that has just begun."""

    def partitions(self) -> list[int]:
        return [0]

    def asset(self, partition: int, key: bytes) -> None:
        return None

    def asset_keys(self, partition: int) -> list[bytes]:
        return []

    def windows(self, partition: int, prefix: bytes) -> Mapping[bytes, bytes]:
        return {}


@dataclass
class Topics:
    """What a run leaves behind."""

    measurements: list[Kept]
    metrics: list[Kept] = field(default_factory=list)
    letters: list[Kept] = field(default_factory=list)
    assets: list[Kept] = field(default_factory=list)

    def take(self, checkpoint: Checkpoint) -> None:
        for key, value in checkpoint.updates:
            self.metrics.append(Kept("metrics", 0, len(self.metrics), key, value))
        for letter in checkpoint.dead_letters:
            self.letters.append(Kept("dlq", 0, len(self.letters), letter.key, letter.value, tuple(letter.headers)))
        for key, entry, _ in checkpoint.assets:
            self.assets.append(Kept("assets", 0, len(self.assets), key, entry))

    def judged(self) -> Verdict:
        verdict, truth = Verdict(), Truth().take(self.measurements)
        values = {(record.partition, record.offset): record.value for record in self.measurements}
        updates = checks.read_updates(self.metrics, verdict)
        checks.check_updates(updates, truth, verdict)
        checks.check_dead_letters(self.letters, truth, values, verdict)
        checks.fold(self.assets, verdict)
        return verdict


def run(messages: list[Message]) -> Topics:
    """Let the real command side process messages of one partition, in two checkpoints."""
    catalogue = Catalogue()
    ingest = Ingest(
        decoder=Codec(),
        tables=NoTables(),
        catalogue=catalogue,
        window_sizes_s=(60, 900, 3600, 86400),
        retention=Retention({}, 5),
    )
    topics = Topics([Kept("measurements", 0, i, m.key, m.value) for i, m in enumerate(messages)])
    for low, high in ((0, CUT), (CUT, len(messages))):
        part = messages[low:high]
        ingest.apply(
            Fetch(
                topic="measurements",
                partition=0,
                start=low,
                end=high,
                offsets=range(low, high),
                keys=[message.key for message in part],
                values=[message.value for message in part],
                timestamps_ms=[0] * len(part),
                headers=[()] * len(part),
            )
        )
        checkpoint = ingest.checkpoint(0)
        assert checkpoint is not None
        topics.take(checkpoint)
        ingest.written(checkpoint)
    return topics
