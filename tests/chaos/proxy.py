"""A TCP proxy between one worker and the broker that can act as a bad network."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

_CHUNK_BYTES = 1 << 16
_CHUNKS_UNDER_WAY = 256


@dataclass(frozen=True, slots=True)
class Network:
    """Faults of the network between a worker and the broker.

    ``hold_out`` and ``hold_in`` hold the bytes that the worker sends and receives until the network is normal again:
    both together are a black hole, like a pulled cable; one alone makes the connections half open.
    """

    latency_s: float = 0.0
    resets: float = 0.0  # share of chunks at which the connection is reset
    hold_out: bool = False
    hold_in: bool = False


WELL = Network()
SLOW = Network(latency_s=0.5)
RESETTING = Network(resets=0.01)
HALF_OPEN = Network(hold_in=True)
BLACK_HOLE = Network(hold_out=True, hold_in=True)


class Proxy:
    """Forwards port ``listen`` to port ``target``, both on the loopback interface."""

    def __init__(self, listen: int, target: int, seed: int) -> None:
        self.listen, self._target = listen, target
        self._random = random.Random(seed)
        self._network = WELL
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.resets = 0

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.listen, backlog=1024)

    async def stop(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def become(self, network: Network) -> None:
        """Change the network, for present connections too."""
        self._network = network
        self._changed.set()
        self._changed = asyncio.Event()

    async def _while_held(self, outwards: bool) -> None:
        while self._network.hold_out if outwards else self._network.hold_in:
            await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        onward: asyncio.StreamWriter | None = None
        try:
            await self._while_held(True)
            back, onward = await asyncio.open_connection("127.0.0.1", self._target)
            pumps = [
                asyncio.ensure_future(self._pump(reader, onward, outwards=True)),
                asyncio.ensure_future(self._pump(back, writer, outwards=False)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the task ends here: the server does not expect a cancelled one
        finally:
            _reset(writer)
            if onward is not None:
                onward.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, outwards: bool) -> None:
        """Forward one direction until its end, or until it is reset."""
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)

        async def take() -> None:
            with suppress(OSError):  # a reset is an end too
                while data := await reader.read(_CHUNK_BYTES):
                    await chunks.put((loop.time() + self._network.latency_s, data))
            await chunks.put((loop.time(), b""))

        taking = asyncio.ensure_future(take())
        try:
            while True:
                due, data = await chunks.get()
                if (wait_s := due - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                await self._while_held(outwards)
                if not data:
                    return
                if self._network.resets and self._random.random() < self._network.resets:
                    self.resets += 1
                    return
                writer.write(data)
                await writer.drain()
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await taking


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: the other end notices at once."""
    own: socket.socket | None = writer.get_extra_info("socket")
    if own is not None:
        with suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
