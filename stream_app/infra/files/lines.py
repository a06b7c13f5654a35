"""Text lines of an uploaded file, read in bounded memory; binary files are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from stream_app.usecases.errors import InvalidError

MAX_LINE_BYTES: Final = 64 << 10
_CHUNK_BYTES: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_MAGIC: Final = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def read_lines(file: BinaryIO) -> Iterator[list[str]]:
    """Read lines without their ends, many at a time; a byte order mark is dropped.

    Raises
    ------
    InvalidError
        With the line, when the file is binary, is not valid UTF-8, or has a line of more than :data:`MAX_LINE_BYTES`.
    """
    rest, done = b"", 0
    while chunk := file.read(_CHUNK_BYTES):
        if not done and not rest:
            _refuse_binary(chunk)
            chunk = chunk.removeprefix(_BOM)
        complete, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            lines = _decode(complete, done)
            done += len(lines)
            yield lines
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(done + 1)
    if rest:
        yield _decode(rest, done)


def _decode(text: bytes, done: int) -> list[str]:
    if b"\x00" in text:
        line = done + 1 + text.count(b"\n", 0, text.index(b"\x00"))
        raise InvalidError("not_text", f"line {line} holds a NUL byte: the file is binary, send UTF-8 text")
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        line = done + 1 + text.count(b"\n", 0, error.start)
        detail = f"line {line} is not valid UTF-8: save the file as UTF-8 (in Excel: 'CSV UTF-8')"
        raise InvalidError("not_text", detail) from None
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise _too_long(done + 1 + next(i for i, line in enumerate(lines) if len(line) > MAX_LINE_BYTES))
    return lines


def _refuse_binary(start: bytes) -> None:
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise InvalidError("not_text", f"the file is {kind}: send it as CSV, UTF-8 text")


def _too_long(line: int) -> InvalidError:
    detail = f"line {line} is longer than {MAX_LINE_BYTES >> 10} KiB: the file is not a table with one row per line"
    return InvalidError("not_text", detail)
