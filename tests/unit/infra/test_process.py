"""The worker's process: its heap."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, threading
from stream_app.infra.process import keep_freed_memory

keep_freed_memory()
thread = threading.Thread(target=bytearray, args=[1 << 20])
thread.start()
thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc has no heaps of threads")
def test_threads_have_no_heaps_of_their_own() -> None:
    """What a thread has freed is there for all others."""
    told = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True).stdout
    assert told.count("<heap nr=") == 1
