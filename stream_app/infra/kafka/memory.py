"""The memory of the process: what is freed is kept for the next fetch, and garbage is looked for where it may be."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Final

#: Parameters of glibc's mallopt, and what they are set to [bytes].
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEPT: Final = {_TRIM_THRESHOLD: 512 << 20, _TOP_PAD: 64 << 20, _MMAP_THRESHOLD: 256 << 20}


def settle_memory() -> None:
    """Set the process up for long work; called when its program is loaded.

    A fetch works on arrays of some 100 kB, which glibc gives back to the kernel when they are freed, so that each fetch
    faulted its memory in again: 9 to 18 % of the time. Half a gigabyte at most stays with the process instead.

    A full collection looked at the 150 000 objects of the program for 80 ms of standstill each time. Records are tuples
    that end with their checkpoint, in no cycle: looking at each 700 of them took 7 % of a checkpoint.
    """
    with suppress(OSError, AttributeError):  # another libc has no such thing
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, size_bytes in _KEPT.items():
            mallopt(parameter, size_bytes)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
