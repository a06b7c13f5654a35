"""Loopback ports for what tests start."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: From here on, up to where connections get their ports by default: 32768 on Linux, 49152 elsewhere.
_FIRST: Final = 20_000
_FEWEST: Final = 5_000


def _ports() -> Iterator[int]:
    """Ports of this test process, again and again: none that a connection may get, so each is free for a restart.

    A machine may give connections nearly all ports; then there are no such ones, and any that nobody uses has to do.
    """
    setting = Path("/proc/sys/net/ipv4/ip_local_port_range")  # Linux
    end = int(setting.read_text("ascii").split()[0]) if setting.exists() else 49_152
    if end < _FIRST + _FEWEST:
        end = 49_152
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(_FIRST + number, end, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    first = random.randrange(len(ports))  # other test runs on this machine begin elsewhere
    return itertools.cycle((*ports[first:], *ports[:first]))


_own_ports: Final = _ports()


def free_port() -> int:
    """A loopback port that nobody uses now, and that this process was not given lately."""
    for port in itertools.islice(_own_ports, 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:  # used
                continue
            return port
    msg = "a thousand loopback ports are all in use: something holds far too many"
    raise RuntimeError(msg)
