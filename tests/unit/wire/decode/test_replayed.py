"""Of a replayed message the rows that its header names count, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.rejected import ATTEMPT_HEADER, ROWS_HEADER
from stream_app.infra.kafka.log.batch_writing import blocks, whole_batches
from stream_app.infra.kafka.log.compression import ZSTD
from stream_app.infra.kafka.log.fetches import fetches
from stream_app.infra.kafka.topic_partition import TopicPartition
from stream_app.wire.batch import Batch, Fetch, Headers, messages_with
from stream_app.wire.decode import Decoder

STAMPS = range(1_772_323_200_000, 1_772_323_200_000 + 6_000, 1_000)
VALUE = (
    b'{"asset_id": "a", "timestamp": [%s], "current": [1, 2, "x", 4, "y", 6], "voltage": [1, 1, 1, 1, 1, 1], '
    b'"soc": [50, 50, 50, 50, 50, 50]}' % b",".join(b"%d" % stamp for stamp in STAMPS)
)


def decoded(*headers: Headers, value: bytes = VALUE) -> Batch:
    count = len(headers)
    return Decoder().decode(
        Fetch("t", 0, 0, count, range(count), [b"a"] * count, [value] * count, [STAMPS[0]] * count, headers)
    )


def rows_of(batch: Batch, message: int) -> list[int]:
    rows: list[int] = batch.row[batch.message == message].tolist()
    return rows


def test_the_named_rows_count_alone() -> None:
    """Also of the rejected ones; messages without the header stay whole."""
    batch = decoded((), [(ROWS_HEADER, b"1,3-4")], ())
    assert [rows_of(batch, message) for message in range(3)] == [[0, 1, 3, 5], [1, 3], [0, 1, 3, 5]]
    assert [(each.message, each.rows) for each in batch.rejects] == [(0, (2, 4)), (1, (4,)), (2, (2, 4))]
    assert len(batch.columns["current_a"]) == len(batch)


def test_a_rejected_row_that_is_not_meant_is_no_letter() -> None:
    """It is one already."""
    assert decoded([(ROWS_HEADER, b"0")]).rejects == []


@pytest.mark.parametrize("text", [b"", b"x", b"1-", b"9" * 40, None])
def test_a_header_that_cannot_be_read_never_loses_a_neighbour(text: bytes | None) -> None:
    """Whoever wrote it."""
    batch = decoded([(ROWS_HEADER, text)], ())
    assert rows_of(batch, 1) == [0, 1, 3, 5]


def test_a_message_that_is_refused_as_a_whole_stays_refused() -> None:
    """The next replay means the same rows."""
    (reject,) = decoded([(ROWS_HEADER, b"1")], value=b"{not json").rejects
    assert (reject.code, reject.rows) == ("bad_json", None)


def test_headers_are_found_without_decoding_those_of_each_record() -> None:
    """By their bytes: also where a value or another header has the name in it, and behind records without headers."""
    name = ROWS_HEADER.encode()
    records = [
        (b"a", name, ()),
        (b"a", name, [("x", name)]),
        (b"a", b"v", [("x", b"1"), (ROWS_HEADER, b"7")]),
        (b"a", name, [(ATTEMPT_HEADER, b"1")]),
        (b"a", b"v", [(ROWS_HEADER, name)]),
        (b"a", b"v", ()),
    ]
    (batch,) = whole_batches("t", blocks(records), ZSTD, "send fewer")
    (fetch,) = fetches(TopicPartition("t", 0), bytes(batch._build()), 0)
    assert list(messages_with(fetch.headers, ROWS_HEADER)) == [2, 4]
    assert list(messages_with(fetch.headers[3:], ROWS_HEADER)) == [1]
    assert list(messages_with(fetch.headers[:1], ROWS_HEADER)) == []
    assert list(messages_with([headers for _, _, headers in records], ROWS_HEADER)) == [2, 4]
    assert np.asarray(fetch.offsets).tolist() == list(range(6))
