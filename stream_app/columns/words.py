"""Eight bytes of a buffer at a time, as one number; within compiled functions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

#: Bytes behind the last one that is read as text, which must be there too: nobody looks where the buffer ends.
PADDING: Final = 64


def word_at(buffer: NDArray[np.uint8], i: int) -> np.uint64:
    """Read eight bytes from ``i`` on, the first one lowest. All must lie in the buffer; compiled, nothing checks it."""
    return np.uint64(int.from_bytes(buffer[i : i + 8].tobytes(), "little"))


def trailing_zeros(word: np.uint64) -> int:
    """Count the zero bits below the lowest set one; there must be one."""
    return (int(word) & -int(word)).bit_length() - 1


def _load(_context: Any, buffer: Any, i: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        at = builder.bitcast(builder.gep(data, [values[1]]), context.get_value_type(types.uint64).as_pointer())
        return builder.load(at, align=1)

    return types.uint64(buffer, types.int64), code


def _count_zeros(_context: Any, word: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], cgutils.false_bit)

    return types.int64(word), code


_load_instruction: Any = intrinsic(_load)
_zeros_instruction: Any = intrinsic(_count_zeros)


@overload(word_at, inline="always")
def _compiled_word_at(buffer: Any, i: Any) -> Any:
    """Tell the compiler what to use for ``word_at``."""

    def read(buffer: Any, i: Any) -> Any:
        return _load_instruction(buffer, i)

    return read


@overload(trailing_zeros, inline="always")
def _compiled_trailing_zeros(word: Any) -> Any:
    """Tell the compiler what to use for ``trailing_zeros``."""

    def count(word: Any) -> Any:
        return _zeros_instruction(word)

    return count
