"""The beginning of a file, enough to see how it is written."""

from __future__ import annotations

import io
import json
import zlib
from typing import Any, BinaryIO, Final

from stream_app.infra.files.containers import GZIP, ZSTD, is_text
from stream_app.infra.zstandard import zstd

HEAD_BYTES: Final = 1 << 20
_WITH_GZIP_HEADER: Final = 31


def head(file: BinaryIO) -> tuple[BinaryIO, bool]:
    """The first MB of a seekable file, cut behind a line, and whether that is all of it.

    A table that can only be read as a whole, such as a Parquet file or a JSON document, is returned as it is.
    """
    file.seek(0)
    first = file.read(HEAD_BYTES + 1)
    file.seek(0)
    if first.startswith(GZIP):
        return _unpacked_head(file, first, zlib.decompressobj(_WITH_GZIP_HEADER))
    if first.startswith(ZSTD):
        return _unpacked_head(file, first, zstd.ZstdDecompressor())
    if len(first) <= HEAD_BYTES or not is_text(first) or _is_document(first):
        return file, True
    return io.BytesIO(_cut(first)), False


def _unpacked_head(file: BinaryIO, packed: bytes, stream: Any) -> tuple[BinaryIO, bool]:
    try:
        text = stream.decompress(packed, HEAD_BYTES + 1)
    except (zlib.error, zstd.ZstdError):
        return file, True  # damaged, as reading it will tell
    if stream.eof or not text or not is_text(text) or _is_document(text):
        return file, True
    return io.BytesIO(_cut(text)), False


def _cut(text: bytes) -> bytes:
    text = text[:HEAD_BYTES]
    end = text.rfind(b"\n") + 1
    return text[:end] if end and b"\x00" not in text[:100] else text  # UTF-16 keeps its last, cut line


def _is_document(text: bytes) -> bool:
    """Whether a text begins a JSON document, which ends with the file."""
    start = text.lstrip()
    if start[:1] == b"[":
        return True
    if start[:1] != b"{":
        return False
    try:
        json.loads(start.partition(b"\n")[0])
    except ValueError:
        return True
    return False
