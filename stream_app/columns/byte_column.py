"""Many byte strings as one buffer, so that they are read without an object each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from stream_app.columns.arrays import IntArray
from stream_app.columns.words import PADDING


@dataclass(frozen=True, slots=True, eq=False)
class ByteColumn(Sequence[bytes | None]):
    """``m`` byte strings: number ``i`` is ``buffer[starts[i]:ends[i]]``, or None where ``ends[i]`` is -1.

    Parameters
    ----------
    buffer
        Shape ``(bytes,)``; may hold more than the strings.
    starts, ends
        Shape ``(m,)``.
    """

    buffer: NDArray[np.uint8]
    starts: IntArray
    ends: IntArray

    @classmethod
    def of(cls, items: Sequence[bytes | None]) -> ByteColumn:
        """Take any strings; a ``ByteColumn`` stays as it is."""
        if isinstance(items, ByteColumn):
            return items
        present = [item for item in items if item is not None]
        if len(present) == len(items):
            lengths = np.fromiter(map(len, present), np.int64, len(present))
        else:
            lengths = np.fromiter((0 if item is None else len(item) for item in items), np.int64, len(items))
        ends = lengths.cumsum()
        starts = ends - lengths
        if len(present) < len(items):
            ends[[item is None for item in items]] = -1
        # Of a bytearray, since compiled functions are compiled once more for arrays that cannot be written.
        return cls(np.frombuffer(bytearray().join([*present, bytes(PADDING)]), np.uint8), starts, ends)

    def at(self, index: IntArray) -> ByteColumn:
        """Those at the given positions, in the same buffer."""
        return ByteColumn(self.buffer, self.starts[index], self.ends[index])

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, i: int) -> bytes | None: ...
    @overload
    def __getitem__(self, i: slice) -> ByteColumn: ...
    def __getitem__(self, i: int | slice) -> bytes | ByteColumn | None:
        if isinstance(i, slice):
            return ByteColumn(self.buffer, self.starts[i], self.ends[i])
        end = int(self.ends[i])
        return None if end < 0 else self.buffer[int(self.starts[i]) : end].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        whole = self.buffer.tobytes()
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield None if end < 0 else whole[start:end]
