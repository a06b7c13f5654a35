"""Compiled functions, for what must go row by row: one walk in machine code instead of many passes over arrays.

They are pure functions of arrays in the part of Python that numba compiles, and do what they would do uncompiled: sums
run in the written order, no operation is fused or reordered. Arrays are handed over contiguous: numba compiles anew for
each layout, and numpy calls a strided array of one item contiguous. The machine code is kept on disk: beside the
source, in ``NUMBA_CACHE_DIR``, or in the user's cache, whichever can be written first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function at its first call; it holds no GIL, and division follows IEEE 754 as numpy's does."""
    return _compiled(function)


def borrowing(function: F) -> F:
    """Compile a function that makes no arrays: it counts no references to those that it is given.

    Counting costs two atomic operations per array and call, which for a function that reads a number are most of it.
    """
    return _compiled(function, _nrt=False)


def inlined(function: F) -> F:
    """As :func:`borrowing`, copied into each function that calls it: to hand an array on takes eight words of stack."""
    return _compiled(function, _nrt=False, forceinline=True)


def _compiled(function: F, **options: bool) -> F:
    jit = partial(cast(Any, njit), nogil=True, error_model="numpy", **options)  # one option is not in its stubs
    try:
        kept = jit(cache=True)(function)
    except RuntimeError:  # nothing can be written anywhere: compiled at every start, then
        kept = jit()(function)
    return cast(F, kept)
