"""How many bytes the TCP connections of other processes have received, asked of the kernel (sock_diag, Linux).

Nothing is put between a contender and its broker for it, and nothing is added to a contender.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_DONE, _ERROR = 3, 2
_INET_DIAG_INFO: Final = 2
_ESTABLISHED: Final = 1 << 1

_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
#: Where an answer has its ports and its inode, where its attributes begin, and tcpi_bytes_received in tcp_info.
_PORTS_AT, _INODE_AT, _ATTRIBUTES_AT, _RECEIVED_AT = 4, 68, 72, 128


def received_from(port: int, pids: Iterable[int]) -> int:
    """Bytes that came in over the busiest connection that one of the processes has to a port of this machine."""
    mine = {inode for pid in pids for inode in _socket_inodes(pid)}
    return max((count for to, inode, count in _connections() if to == port and inode in mine), default=0)


def _socket_inodes(pid: int) -> Iterator[int]:
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended
        return
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1])


def _connections() -> Iterator[tuple[int, int, int]]:
    """Remote port, inode and received bytes of each established connection."""
    for family in (socket.AF_INET, socket.AF_INET6):  # a JVM's connections are IPv6 ones, whatever they are used for
        yield from _of_family(family)


def _of_family(family: int) -> Iterator[tuple[int, int, int]]:
    wanted = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INET_DIAG_INFO - 1), 0, _ESTABLISHED) + bytes(48)
    header = _HEADER.pack(_HEADER.size + len(wanted), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + wanted)
        while True:
            answers = kernel.recv(1 << 18)
            while answers:
                length, kind, *_ = _HEADER.unpack_from(answers)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    msg = "the kernel does not list TCP connections (inet_diag): bench needs Linux with it"
                    raise OSError(msg)
                yield _connection(answers[_HEADER.size : length])
                answers = answers[(length + 3) & ~3 :]


def _connection(answer: bytes) -> tuple[int, int, int]:
    (port,) = struct.unpack_from("!H", answer, _PORTS_AT + 2)
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    at, received = _ATTRIBUTES_AT, 0
    while at < len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, at)
        if kind == _INET_DIAG_INFO:
            (received,) = struct.unpack_from("=Q", answer, at + _ATTRIBUTE.size + _RECEIVED_AT)
        at += (length + 3) & ~3
    return port, inode, received
