"""A fetch response of one partition becomes a few :class:`stream_app.wire.batch.Fetch`, whatever batches it has."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream_app.infra.kafka.errors import CorruptLogError
from stream_app.infra.kafka.log.record_batches import Portion, RecordBatch, batches
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.wire.batch import Fetch

#: Applied in one go, some 4 ms of single rows, during which nothing else runs in the event loop. With half of
#: it a row takes a tenth more CPU time: what a fetch costs whatever its size is some 2 ms.
_FETCH_BYTES: Final = 2 << 20
#: Room for the batch with which a fetch becomes large enough, and how far records usually expand.
_BATCH_BYTES: Final = 1 << 20
_EXPANSION: Final = 12
_BUILT_BYTES: Final = 1 << 20


def fetches(
    tp: TopicPartition,
    data: bytes,
    start: int,
    *,
    aborted: Iterable[tuple[int, int]] = (),
    check_crcs: bool = True,
) -> Iterator[Fetch]:
    """Read a response that was asked for from offset ``start``.

    A response that is very large once decompressed is cut into several fetches, which join without a gap. A response of
    control batches alone becomes a fetch without messages: the position moves past them all the same. So does one of
    records that do not count, since their transaction was aborted.

    Parameters
    ----------
    aborted
        Producer's id and first offset of each aborted transaction that the response has a part of.

    Raises
    ------
    CorruptLogError
        A batch's checksum is wrong, or it cannot be unpacked; the batches before it have been yielded.
    """
    end, portion, transactions = start, None, _Aborted(aborted)
    for batch in batches(data):
        if check_crcs and not batch.is_sound():
            if end > start:
                yield _fetch(tp, start, end, portion)
            raise CorruptLogError(tp, batch.base_offset, batch.next_offset)
        if transactions.counts(batch):
            if portion is None:
                portion = Portion(min(_EXPANSION * len(data), _FETCH_BYTES + _BATCH_BYTES))
            try:
                portion.add(batch)
            except MemoryError:
                raise  # the batch is not at fault
            except Exception as error:  # each codec has errors of its own
                if end > start:
                    yield _fetch(tp, start, end, portion)
                why = f"it cannot be unpacked: {error}"
                raise CorruptLogError(tp, batch.base_offset, batch.next_offset, why) from error
        end = batch.next_offset
        if portion is not None and portion.size_bytes > _FETCH_BYTES:
            yield _fetch(tp, start, end, portion)
            start, portion = end, None
    if end > start:
        yield _fetch(tp, start, end, portion)


class _Aborted:
    """Which batches of a response count: asked of each of them, in order.

    Parameters
    ----------
    transactions
        Producer's id and first offset of the aborted ones.
    """

    def __init__(self, transactions: Iterable[tuple[int, int]]) -> None:
        self._to_come = deque(sorted(transactions, key=lambda each: each[1]))
        self._producers: set[int] = set()

    def counts(self, batch: RecordBatch) -> bool:
        """Whether the batch has records that count: neither markers, nor of an aborted transaction."""
        while self._to_come and self._to_come[0][1] <= batch.base_offset:
            self._producers.add(self._to_come.popleft()[0])
        is_aborted = batch.is_transactional and batch.producer_id in self._producers
        if batch.is_control:
            if is_aborted and batch.is_abort():
                self._producers.discard(batch.producer_id)
            return False
        return not is_aborted


def _fetch(tp: TopicPartition, start: int, end: int, portion: Portion | None) -> Fetch:
    # The broker answers with whole batches: the first may begin before the position.
    records = (portion or Portion(0)).records().since(start)
    return Fetch(
        topic=tp.topic,
        partition=tp.partition,
        start=start,
        end=end,
        offsets=records.offsets,
        keys=records.keys,
        values=records.values,
        timestamps_ms=records.timestamps_ms,
        headers=records.headers,
    )


def response(start: int, parts: Iterable[Sequence[tuple[bytes, bytes]]]) -> bytes:
    """Keys and values from offset ``start`` on, as a broker sends them: each part an uncompressed batch."""
    data = b""
    for part in parts:
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
            batch_size=_BUILT_BYTES,
        )  # fmt: skip
        for number, (key, value) in enumerate(part):
            builder.append(number, timestamp=0, key=key, value=value, headers=[])
        # The checksum leaves out the base offset: a broker writes it when it appends the batch.
        data += start.to_bytes(8, "big") + bytes(builder.build())[8:]
        start += len(part)
    return data
