"""Sequential states: what cannot be summed. Bounded state per asset, advanced row by row in event-time order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray
from stream_app.domain.samples import Samples


class SequentialState(ABC):
    """A sequential state that metrics share; what it saw in the rows reaches them as ``samples.events(type)``.

    The state of one asset is ``width`` numbers and a stack of at most ``points`` items of ``point`` numbers. A changed
    ``version`` (or width) starts empty.

    Attributes
    ----------
    event
        Names of the numbers that tell of one event, which :meth:`events` hands to the metrics.
    step
        Compiled, and makes no arrays: ``step(state, stack, depth, *inputs, events)`` takes one row. It changes the
        state ``(width,)``, the stack ``(points * point,)`` and its depth ``(1,)``, writes each event into a column of
        ``events`` ``(len(event), at least points)`` and returns how many there are.
    residue
        Compiled: ``residue(state, stack, numbers)`` writes what the state ``(width,)`` and the items on its stack hold
        that no event has told yet: ``residue_width`` numbers, which metrics read of a lifetime.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    width: ClassVar[int]
    point: ClassVar[int]
    points: ClassVar[int]
    event: ClassVar[tuple[str, ...]]
    step: ClassVar[Callable[..., int]]
    residue_width: ClassVar[int] = 0
    residue: ClassVar[Callable[..., None]]

    @classmethod
    def key(cls) -> str:
        """Name and version, as stored states name it."""
        return f"{cls.name}@{cls.version}"

    @abstractmethod
    def start(self) -> FloatArray:
        """State of an asset that has no rows yet, shape ``(width,)``; its stack is empty."""

    def specified(self, stack: FloatArray, spec: AssetSpec) -> FloatArray:
        """Stack of an asset once its spec is this one; of most states as it was."""
        return stack

    @abstractmethod
    def inputs(self, samples: Samples) -> tuple[Any, ...]:
        """What the step reads of each row: columns of shape ``(n,)``."""

    @abstractmethod
    def events(self, row: Any, told: Mapping[str, Any]) -> Any:
        """Events as the metrics see them: the row of each, and its numbers by name, each of shape ``(events,)``."""

    def advance(
        self, state: FloatArray, tails: Sequence[FloatArray], samples: Samples
    ) -> tuple[FloatArray, list[FloatArray], Any]:
        """States ``(k, width)`` and stacks after the rows, and their events: row by row, as the walk does it."""
        state, new_tails = state.copy(), []
        inputs = self.inputs(samples)
        step = type(self).step
        rows: list[int] = []
        told: list[FloatArray] = []
        events = np.empty((len(self.event), self.points))
        for k, (start, stop) in enumerate(zip(samples.starts.tolist(), samples.stops.tolist(), strict=True)):
            stack, depth = np.zeros(self.points * self.point), np.array([len(tails[k]) // self.point])
            stack[: len(tails[k])] = tails[k]
            for i in range(start, stop):
                count = step(state[k], stack, depth, *(given[i] for given in inputs), events)
                rows += [i] * count
                told.append(events[:, :count].copy())
            new_tails.append(stack[: depth[0] * self.point].copy())
        columns = np.concatenate([np.empty((len(self.event), 0)), *told], axis=1)
        named = dict(zip(self.event, columns, strict=True))
        return state, new_tails, self.events(np.array(rows, np.int64), named)
