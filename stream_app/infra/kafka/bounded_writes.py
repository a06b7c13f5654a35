"""Writes that end with the lease: a write that is not acked by then is never made, as others may own the partition."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from stream_app.infra.kafka.checkpoint_sink import CheckpointSink
from stream_app.infra.kafka.lease import Lease


async def write_within(lease: Lease, sink: CheckpointSink, writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run writes side by side until all are acked or the lease ends.

    Raises
    ------
    TimeoutError
        The lease ended before the broker had acked everything.
    Exception
        The error of the first write that failed. In either case the sink is emptied and all writes are over.
    """
    tasks = [asyncio.ensure_future(write) for write in writes]
    pending: set[asyncio.Future[None]] = set(tasks)
    failure: BaseException | None = None
    try:
        while pending and failure is None and (left_s := lease.remaining_s()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_EXCEPTION)
            failure = next((error for task in done if (error := task.exception())), None)
    finally:
        if pending or failure is not None:
            for task in pending:
                task.cancel()
            await sink.discard()
            await asyncio.gather(*tasks, return_exceptions=True)
    if failure is not None:
        raise failure
    if pending:
        msg = "the broker does not answer"
        raise TimeoutError(msg)
