"""Codecs of the record batches that the service writes.

gzip is the only codec that every client reads without a further package, so the output topics have it by default.
ISA-L's level 1 takes 0.6 of zstd's CPU time (zlib's takes 2.4 times as much as zstd); what that costs is size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from aiokafka.codec import lz4_encode, zstd_encode
from isal import isal_zlib
from numpy.typing import NDArray

from stream_app.settings import Compression

_GZIP_LEVEL: Final = 1
_GZIP_WINDOW: Final = 16 + 15  # the format, and the window's size as a power of two
#: Levels above 2 take four times as long, for three fifths of the bytes.
_LZ4_LEVEL: Final = 1
#: Measured twice against level 1 with different outcomes (0.8 and 1.1 of its CPU time): neither is clearly better.
_ZSTD_LEVEL: Final = 2


class Codec(NamedTuple):
    """A codec: its number in a batch's attributes, and how it compresses."""

    number: int
    compress: Callable[[NDArray[np.uint8]], bytes]


UNCOMPRESSED: Final = Codec(0, lambda plain: plain.tobytes())
ZSTD: Final = Codec(4, lambda plain: zstd_encode(plain, _ZSTD_LEVEL))

#: By the name that Kafka has for them.
CODECS: Final[Mapping[Compression, Codec]] = {
    "none": UNCOMPRESSED,
    "gzip": Codec(1, lambda plain: isal_zlib.compress(plain, _GZIP_LEVEL, _GZIP_WINDOW)),
    "lz4": Codec(3, lambda plain: lz4_encode(plain.tobytes(), _LZ4_LEVEL)),
    "zstd": ZSTD,
}
