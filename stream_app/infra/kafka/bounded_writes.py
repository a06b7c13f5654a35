"""Writes that end with the lease: a write that is not acked by then is never made, as others may own the partition."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any, Self

from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.lease import Lease


class BoundedWrites:
    """Writes side by side, each from when it is started; the context is left once all are over.

    Raises, when it is left
    -----------------------
    TimeoutError
        The lease ended before the broker had acked everything.
    Exception
        The error of the first write that failed. In either case, and if anything is raised within the context, the sink
        is emptied and all writes are over.
    """

    def __init__(self, lease: Lease, sink: CheckpointSink) -> None:
        self._lease, self._sink = lease, sink
        self._writes: list[asyncio.Future[None]] = []

    def start(self, write: Coroutine[Any, Any, None]) -> None:
        """Begin a write."""
        self._writes.append(asyncio.ensure_future(write))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        pending = {write for write in self._writes if not write.done()}
        failure = self._failure()
        try:
            while error is None and pending and failure is None and (left_s := self._lease.remaining_s()) > 0:
                _, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_EXCEPTION)
                failure = self._failure()
        finally:
            if self._writes and (pending or failure is not None or error is not None):
                for write in pending:
                    write.cancel()
                await self._sink.discard()
                await asyncio.gather(*self._writes, return_exceptions=True)
        if error is not None:
            return
        if failure is not None:
            raise failure
        if pending:
            msg = "the broker does not answer"
            raise TimeoutError(msg)

    def _failure(self) -> BaseException | None:
        """Error of the first write that failed."""
        return next((error for write in self._writes if write.done() and (error := write.exception())), None)


async def write_within(lease: Lease, sink: CheckpointSink, writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run writes side by side until all are acked or the lease ends; raises as :class:`BoundedWrites` does."""
    async with BoundedWrites(lease, sink) as bounded:
        for write in writes:
            bounded.start(write)
