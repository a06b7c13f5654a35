"""What a process and its children use, looked at from outside: CPU time, memory, and when the first rows reached it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from bench.sockets import received_from

_PERIOD_S: Final = 0.05
#: Heartbeats and polls of a process that has nothing else to do stay below this share of a core.
_IDLE_SHARE: Final = 0.05
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: No answer of a broker is as large as this but one to a fetch of rows.
_FIRST_ROWS_BYTES: Final = 128 << 10


@dataclass
class Observer:
    """Looks at a process tree twenty times a second, until :meth:`stop`."""

    pid: int
    broker_port: int
    began_at: float | None = None  # the last look at which no rows had come yet
    _times: list[float] = field(default_factory=list)
    _own_s: list[float] = field(default_factory=list)
    _machine_s: list[float] = field(default_factory=list)
    _resident_kib: list[int] = field(default_factory=list)
    _peak: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.error: OSError | None = None

    def start(self) -> Observer:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look()
                self._stopping.wait(_PERIOD_S)
        except OSError as error:
            self.error = error

    def _look(self) -> None:
        now = time.time()
        pids = _tree(self.pid)
        if not pids:
            return
        if self.began_at is None and received_from(self.broker_port, pids) >= _FIRST_ROWS_BYTES:
            self.began_at = self._times[-1] if self._times else now
        own_s, machine_s = sum(_cpu_s(pid) for pid in pids), _machine_cpu_s()
        resident_kib = 0
        for pid in pids:
            now_kib, peak_kib = _memory_kib(pid)
            resident_kib += now_kib
            self._peak[pid] = max(self._peak.get(pid, 0), peak_kib)
        self._own_s.append(own_s)
        self._machine_s.append(machine_s)
        self._resident_kib.append(resident_kib)
        self._times.append(now)  # last: who asks meanwhile goes by it

    def cpu_s(self, start: float, end: float) -> float:
        """CPU time of the process tree between two times."""
        return _between(self._times, self._own_s, start, end)

    def others_cpu_s(self, start: float, end: float) -> float:
        """CPU time of all else on this machine, the broker too, between two times."""
        return _between(self._times, self._machine_s, start, end) - self.cpu_s(start, end)

    def is_idle(self, for_s: float) -> bool:
        """Whether the process tree has done next to nothing for so long."""
        if not self._times or self._times[-1] - self._times[0] < for_s:
            return False
        now = self._times[-1]
        return self.cpu_s(now - for_s, now) < _IDLE_SHARE * for_s

    @property
    def whole_cpu_s(self) -> float:
        """CPU time of the process tree from its start to the last look."""
        return self._own_s[-1] if self._own_s else 0.0

    @property
    def peak_mb(self) -> float:
        """Most memory that the process tree had resident, by the kernel's own high-water marks [MB]."""
        return sum(self._peak.values()) * 1024 / 1e6

    def resident_mb(self, start: float, end: float) -> list[tuple[float, float]]:
        """Resident memory of the process tree at each look between two times: seconds since the first, and MB."""
        looks = zip(self._times, self._resident_kib, strict=False)  # a look may be under way
        return [(at - start, kib * 1024 / 1e6) for at, kib in looks if start <= at <= end]


def _between(times: list[float], values: list[float], start: float, end: float) -> float:
    looks = len(times)
    first, last = np.interp([start, end], times[:looks], values[:looks]).tolist()
    difference: float = last - first
    return difference


def _tree(pid: int) -> list[int]:
    """A process and its descendants; none once it has ended."""
    found = [pid] if Path(f"/proc/{pid}").exists() else []
    for parent in found:  # grows meanwhile
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _cpu_s(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_PER_S


def _machine_cpu_s() -> float:
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


def _memory_kib(pid: int) -> tuple[int, int]:
    """Resident memory of a process, now and at most so far."""
    kib = {"VmRSS:": 0, "VmHWM:": 0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, *values = line.split()
            if name in kib:
                kib[name] = int(values[0])
    return kib["VmRSS:"], kib["VmHWM:"]
