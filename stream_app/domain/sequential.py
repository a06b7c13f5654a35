"""Sequential states: what cannot be summed. Bounded state per asset, advanced row by row in event-time order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from stream_app.columns.arrays import FloatArray
from stream_app.domain.samples import Samples


class SequentialState(ABC):
    """A state that metrics share; what it saw in a batch reaches them as ``samples.events(type)``.

    The state of one asset is ``width`` numbers and a tail of some more, whose length the class must bound: the state is
    written to Kafka whole. A changed ``version`` (or width) starts empty.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    width: ClassVar[int]

    @classmethod
    def key(cls) -> str:
        """Name and version, as stored states name it."""
        return f"{cls.name}@{cls.version}"

    @abstractmethod
    def start(self) -> FloatArray:
        """State of an asset that has no rows yet, shape ``(width,)``; its tail is empty."""

    @abstractmethod
    def advance(
        self, state: FloatArray, tails: Sequence[FloatArray], samples: Samples
    ) -> tuple[FloatArray, Sequence[FloatArray], Any]:
        """States ``(k, width)`` and tails after the rows, and what was seen in them. Must not change its arguments."""
