"""``python -m bench.profile.sampler FILE ARGUMENTS``: runs ``stream-app ARGUMENTS`` and samples it 200 times a second.

A thread reads the CPU clock of every thread of the process. What a thread has used since the last look counts for the
functions that it is in now. So a thread that waits costs nothing in the profile, and what is shared out is CPU time,
not wall time. A compiled function, or another function in C, has no frame of its own: it counts for the Python function
that called it. One that keeps the GIL is seen when it gives the GIL back, in the same caller.

The file gets a line of JSON each second: new stacks (module and function of each frame, innermost first), and samples:
when [s since 1970], number of the stack (-1: a thread that runs no Python, -2: this one), and CPU time [ns].
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

PERIOD_S: Final = 0.005
#: In place of a stack: a thread that runs no Python, and the sampler itself.
NATIVE: Final = -1
SAMPLER: Final = -2
_WRITE_EACH_S: Final = 1.0
#: Linux: the clock of a thread is named by its id, shifted, with the bits for "of one thread" and "as scheduled".
_THREAD_CLOCK_BITS: Final = 0b110


class Sampler(threading.Thread):
    """Looks at the process's threads until it ends."""

    def __init__(self, file: Path) -> None:
        super().__init__(name="sampler", daemon=True)
        self._file = file
        self._used_ns: dict[int, int] = {}  # by the kernel's id of a thread
        self._numbers: dict[tuple[CodeType, ...], int] = {}
        self._stacks: list[list[tuple[str, str]]] = []  # not written yet
        self._samples: list[tuple[float, int, int]] = []

    def run(self) -> None:
        """Look, and write each second."""
        due = time.monotonic() + _WRITE_EACH_S
        while True:
            time.sleep(PERIOD_S)
            self.look()
            if time.monotonic() > due:
                self.write()
                due = time.monotonic() + _WRITE_EACH_S

    def look(self) -> None:
        """Enter what each thread has used since the look before."""
        now = time.time()
        frames = sys._current_frames()  # noqa: SLF001  # the only way to another thread's frame
        python = {thread.native_id: thread.ident for thread in threading.enumerate()}
        for task in (int(folder.name) for folder in Path("/proc/self/task").iterdir()):
            try:
                used_ns = time.clock_gettime_ns((~task << 3) | _THREAD_CLOCK_BITS)
            except OSError:  # it has ended
                continue
            spent_ns = used_ns - self._used_ns.get(task, 0)
            self._used_ns[task] = used_ns
            if spent_ns > 0:
                frame = frames.get(python.get(task) or 0)
                number = SAMPLER if task == self.native_id else self._number(frame)
                self._samples.append((now, number, spent_ns))

    def _number(self, frame: FrameType | None) -> int:
        if frame is None:
            return NATIVE
        codes: list[CodeType] = []
        names: list[str] = []
        at: FrameType | None = frame
        while at is not None:
            codes.append(at.f_code)
            names.append(at.f_globals.get("__name__", "?"))
            at = at.f_back
        key = tuple(codes)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._stacks.append([(name, code.co_qualname) for name, code in zip(names, codes, strict=True)])
        return self._numbers[key]

    def write(self) -> None:
        """Append what is new to the file."""
        line = json.dumps({"stacks": self._stacks, "samples": self._samples})
        self._stacks, self._samples = [], []
        with self._file.open("a", encoding="utf-8") as output:
            output.write(line + "\n")


def main() -> None:
    """Run the program with a sampler beside it."""
    Sampler(Path(sys.argv[1])).start()
    sys.argv[:] = ["stream-app", *sys.argv[2:]]
    from stream_app.__main__ import main as run  # noqa: PLC0415  # its imports are looked at, too

    run()


if __name__ == "__main__":
    main()
