"""Record batches of anything that the protocol allows, written by plain code that shares nothing with the product."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cramjam
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint

_FRONT = struct.Struct(">qiibI")
_CHECKED = struct.Struct(">hiqqqhii")
_TRANSACTIONAL = 0x10


@dataclass(frozen=True, slots=True)
class FuzzRecord:
    """A record, and how it is to be judged.

    Parameters
    ----------
    kind
        What was made; in messages of a failed run.
    good
        Whether it belongs to the fleet, whose rows are compared with a plain computation.
    hopeless
        Whether all of it must be refused, so that it may name an asset of the fleet.
    """

    key: bytes | None
    value: bytes | None
    kind: str
    good: bool = False
    hopeless: bool = False
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    time_ms: int = -1
    attributes: int = field(default=0)  # of the record, which the protocol does not use

    @property
    def size_bytes(self) -> int:
        """Of its texts."""
        return len(self.key or b"") + len(self.value or b"") + sum(len(n) + len(v or b"") for n, v in self.headers)


def _halves(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda plain: pack(plain[: len(plain) // 2]) + pack(plain[len(plain) // 2 :])


#: By name: the number in the attributes, and how to compress; the frames of some codecs may follow each other.
CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip.compress),
    "gzip in two members": (1, _halves(gzip.compress)),
    "snappy": (2, snappy_encode),
    "snappy without frame": (2, lambda plain: bytes(cramjam.snappy.compress_raw(plain))),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
    "zstd in two frames": (4, _halves(zstd_encode)),
}


class FuzzBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch to be handed to aiokafka's ``send_batch``, which numbers it."""

    def __init__(self, records: Sequence[FuzzRecord], codec: str, *, transactional: bool) -> None:
        number, compress = CODECS[codec]
        self._relative_offset, self._closed = len(records), True
        self._attributes = number | (_TRANSACTIONAL if transactional else 0)
        self._first_ms = records[0].time_ms
        self._last_ms = max(record.time_ms for record in records)
        self._body = compress(b"".join(_encoded(r, i, self._first_ms) for i, r in enumerate(records)))
        self._numbers = -1, -1, -1
        self._buffer: bytearray | None = None

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._numbers = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytearray:
        if self._buffer is None:
            count = self._relative_offset
            checked = _CHECKED.pack(
                self._attributes, count - 1, self._first_ms, self._last_ms, *self._numbers, count
            )  # fmt: skip
            checked += self._body
            length = _FRONT.size + len(checked) - 12
            self._buffer = bytearray(_FRONT.pack(0, length, -1, 2, calc_crc32c(checked)) + checked)
        return self._buffer

    def size(self) -> int:
        """Size in bytes."""
        return _FRONT.size + _CHECKED.size + len(self._body)


def _encoded(record: FuzzRecord, number: int, first_ms: int) -> bytes:
    body = bytearray([record.attributes])
    encode_varint(record.time_ms - first_ms, body.append)
    encode_varint(number, body.append)
    for text in (record.key, record.value):
        _put(body, text)
    encode_varint(len(record.headers), body.append)
    for name, value in record.headers:
        _put(body, name)
        _put(body, value)
    front = bytearray()
    encode_varint(len(body), front.append)
    return bytes(front + body)


def _put(body: bytearray, text: bytes | None) -> None:
    encode_varint(-1 if text is None else len(text), body.append)
    body += text or b""
