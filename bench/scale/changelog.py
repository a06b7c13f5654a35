"""How large the state is: the newest entry of each key in a compacted topic."""

from __future__ import annotations

from dataclasses import dataclass

from bench import topics
from stream_app.usecases.ports import MARKER_KEY


@dataclass(frozen=True, slots=True)
class StateSize:
    """Entries that hold, and their bytes."""

    entries: int
    value_bytes: int

    @property
    def bytes_per_entry(self) -> float | None:
        """Mean size of a value."""
        return self.value_bytes / self.entries if self.entries else None


async def state_size(broker: str, topic: str) -> StateSize:
    """Read a changelog; the positions' markers do not count."""
    sizes: dict[bytes, int] = {}
    async with topics.tail(broker, topic) as changelog:
        async for record in changelog.records():
            if record.value is None:
                sizes.pop(record.key, None)
            elif record.key != MARKER_KEY:
                sizes[record.key] = len(record.value)
    return StateSize(len(sizes), sum(sizes.values()))
