"""The worker's process: its memory, and its end when it does not end by itself."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from typing import Final

#: Exit status of an internal error, as in sysexits.h.
INTERNAL_ERROR: Final = 70

#: Parameters of glibc's mallopt, and their values [bytes; heaps].
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_KEPT: Final = {_TRIM_THRESHOLD: 128 << 20, _TOP_PAD: 64 << 20, _MMAP_THRESHOLD: 16 << 20, _ARENA_MAX: 1}


def keep_freed_memory() -> None:
    """Keep freed memory for the next fetch, and collect garbage less often; called once the program is loaded.

    A fetch works on arrays of some 100 kB, which glibc gives back to the kernel when they are freed, so that each fetch
    faulted its memory in again: 9 to 18 % of the time. 128 MB at most stays at the heap's end instead. Arrays of 16 MB
    or more, which hold a fleet, go back at once when it grows out of them. The thread that fetches has no heap of its
    own, which kept 90 MB that checkpoints could not use.

    A full collection looked at the 150 000 objects of the program for 80 ms of standstill each time. Records are tuples
    that end with their checkpoint, in no cycle: looking at each 700 of them took 7 % of a checkpoint.
    """
    with suppress(OSError, AttributeError):  # another libc has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _KEPT.items():
            mallopt(parameter, value)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def end_process(status: int, error: object = None) -> None:
    """End the process at once, whatever its threads do, with a line on stderr if there is an error to tell."""
    if error is not None:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
    os._exit(status)
