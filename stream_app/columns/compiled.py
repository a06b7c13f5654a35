"""Compiled functions, for what must go row by row: one walk in machine code instead of many passes over arrays.

They are pure functions of arrays in the part of Python that numba compiles, and do what they would do uncompiled: sums
run in the written order, no operation is fused or reordered. Arrays are handed over contiguous: numba compiles anew for
each layout, and numpy calls a strided array of one item contiguous. The machine code is kept on disk: beside the
source, in ``NUMBA_CACHE_DIR``, or in the user's cache, whichever can be written first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function at its first call; it holds no GIL, and division follows IEEE 754 as numpy's does."""
    try:
        kept = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # nothing can be written anywhere: compiled at every start, then
        kept = njit(nogil=True, error_model="numpy")(function)
    return cast(F, kept)
