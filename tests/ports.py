"""Loopback ports for what tests start."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final


def _ports() -> Iterator[int]:
    """Ports of this test process, again and again: none that a connection may get, so each is free for a restart."""
    own_range = Path("/proc/sys/net/ipv4/ip_local_port_range")  # Linux; elsewhere connections get ports from 49152 on
    end = int(own_range.read_text("ascii").split()[0]) if own_range.exists() else 49_152
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(20_000 + number, end, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
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
