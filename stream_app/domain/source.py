"""The topic whose rows a state holds. A topic that was deleted and made again has its old name and another id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A topic by name and id (KIP-516); ``topic_id`` is None where the broker gives none (before Kafka 2.8)."""

    topic: str
    topic_id: str | None

    def __str__(self) -> str:
        return f"{self.topic!r} (id {self.topic_id or 'unknown'})"

    def is_other_than(self, other: Source) -> bool:
        """Whether the two are different topics for sure: by name, or by ids that are both known."""
        by_id = None not in (self.topic_id, other.topic_id) and self.topic_id != other.topic_id
        return self.topic != other.topic or by_id
