"""Batches of a checkpoint's updates, on their way to the producer."""

from __future__ import annotations

import random
import weakref

from stream_app.infra.kafka.log.compression import UNCOMPRESSED
from stream_app.infra.kafka.update_batches import UpdateBatches
from stream_app.wire.encode.update_list import UpdateList, UpdateRecord


def test_a_batch_that_was_taken_is_not_held_any_longer() -> None:
    """Of three batches the first is gone when the second is taken; in the end nothing is left."""
    batches = UpdateBatches("metrics", 1, UNCOMPRESSED, "make it smaller")
    values = [random.Random(number).randbytes(400_000) for number in range(5)]
    updates = UpdateList.of([UpdateRecord(b"a", b"a", value, b"\0") for value in values])
    assert len(list(batches.put(updates))) == 2
    (taken,) = batches.take().values()
    first = next(taken)
    gone = weakref.ref(first)
    del first
    assert gone() is None
    assert sum(1 for _ in taken) == 2
    assert batches.size_bytes == 0
