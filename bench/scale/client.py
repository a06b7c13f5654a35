"""A bare HTTP client: one connection that is kept, a question at a time.

It costs a fraction of what a client for general use does: on two cores the asker must not be what is measured.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import orjson

_ANSWER_S: Final = 10.0
_HEAD_END: Final = b"\r\n\r\n"


class Connection:
    """A connection to a port of this machine, opened when it is needed and again when it has broken."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> tuple[int, bytes]:
        """Ask; status and body.

        Raises
        ------
        OSError
            Nobody answers, or not in time.
        """
        while True:
            kept = self._streams is not None
            try:
                return await self._get(path)
            except (OSError, EOFError) as error:
                await self.close()  # an answer may be under way on it
                if not kept or isinstance(error, TimeoutError):
                    raise ConnectionError(path) from error
                # The server closes what was idle for some seconds: ask on a new one.

    async def _get(self, path: str) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        async with asyncio.timeout(_ANSWER_S):
            head = await reader.readuntil(_HEAD_END)
            return status_of(head), await reader.readexactly(length_of(head))

    async def json(self, path: str) -> tuple[int, Any]:
        """Ask; status, and what the body says."""
        status, body = await self.get(path)
        return status, orjson.loads(body)

    async def close(self) -> None:
        """Close it."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()


def status_of(head: bytes) -> int:
    """Status in the head of an answer."""
    return int(head.split(maxsplit=2)[1])


def length_of(head: bytes) -> int:
    """Length of the body by the head of an answer."""
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    msg = f"an answer without a length: {head!r}"
    raise OSError(msg)
