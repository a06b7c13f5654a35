"""A run in this process without Kafka: the real use cases turn messages into topics, which tests then tamper with."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.ingest import Ingest
from stream_app.usecases.ports import NoTables, WholeCheckpoint
from stream_app.usecases.spans import KeptWindows
from stream_app.wire.batch import Fetch
from tests.chaos import checks
from tests.chaos.findings import Findings
from tests.chaos.traffic import Message
from tests.chaos.truth import Truth

CUT = 900  # messages before the first checkpoint


@dataclass(frozen=True)
class StoredRecord:
    """A record of a topic, as a consumer reads it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = -1


@dataclass
class TopicContents:
    """All records that a run leaves in its topics."""

    measurements: list[StoredRecord]
    metrics: list[StoredRecord] = field(default_factory=list)
    letters: list[StoredRecord] = field(default_factory=list)
    assets: list[StoredRecord] = field(default_factory=list)

    def append(self, checkpoint: WholeCheckpoint) -> None:
        for _, key, value, _ in checkpoint.updates:
            self.metrics.append(StoredRecord("metrics", 0, len(self.metrics), key, value))
        for letter in checkpoint.dead_letters:
            self.letters.append(
                StoredRecord(
                    "dlq",
                    0,
                    len(self.letters),
                    letter.key,
                    letter.value,
                    tuple((name, content or b"") for name, content in letter.headers),
                )
            )
        for entry in checkpoint.assets:
            self.assets.append(StoredRecord("assets", 0, len(self.assets), entry.key, entry.value))

    def check(self) -> Findings:
        findings, truth = Findings(), Truth().take(self.measurements)
        values = {(record.partition, record.offset): record.value for record in self.measurements}
        updates = checks.read_updates(self.metrics, findings)
        checks.check_updates(updates, truth, findings)
        checks.check_dead_letters(self.letters, truth, values, findings)
        checks.fold(self.assets, findings)
        return findings


def run(messages: list[Message]) -> TopicContents:
    """Process messages of one partition with the real use cases, in two checkpoints."""
    catalogue = Catalogue()
    ingest = Ingest(
        tables=NoTables(),
        catalogue=catalogue,
        window_sizes_s=(60, 900, 3600, 86400),
        kept_windows=KeptWindows({}, 5),
    )
    topics = TopicContents([StoredRecord("measurements", 0, i, m.key, m.value) for i, m in enumerate(messages)])
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
                timestamps_ms=[-1] * len(part),
                headers=[()] * len(part),
            )
        )
        checkpoint = ingest.checkpoint(0)
        assert checkpoint is not None
        topics.append(checkpoint)
        ingest.written(checkpoint)
    return topics
