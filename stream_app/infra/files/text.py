"""Text of an uploaded file, read in bounded memory; binary files are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from stream_app.usecases.errors import InvalidError

MAX_LINE_BYTES: Final = 64 << 10
_LINE_FEED: Final = ord("\n")
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


def read_text(file: BinaryIO) -> Iterator[bytes]:
    """Read whole lines, many at a time, as valid UTF-8; each ends in a line feed, the file's last one too.

    A byte order mark is dropped.

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
        end = chunk.rfind(b"\n") + 1
        if end:
            text, rest = rest + chunk[:end], chunk[end:]
            _check(text, done)
            done += int(np.count_nonzero(np.frombuffer(text, np.uint8) == _LINE_FEED))  # twice as fast as bytes.count
            yield text
        else:
            rest += chunk
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(done + 1)
    if rest:
        rest += b"\n"
        _check(rest, done)
        yield rest


def lines_of(text: bytes) -> list[str]:
    """Lines of a portion of text, without their line feeds."""
    return text.decode().removesuffix("\n").split("\n")


def _check(text: bytes, done: int) -> None:
    """Refuse text that is none; ``done`` counts the lines before it."""
    if b"\x00" in text:
        line = done + 1 + text.count(b"\n", 0, text.index(b"\x00"))
        raise InvalidError("not_text", f"line {line} holds a NUL byte: the file is binary, send UTF-8 text")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            line = done + 1 + text.count(b"\n", 0, error.start)
            detail = f"line {line} is not valid UTF-8: save the file as UTF-8 (in Excel: 'CSV UTF-8')"
            raise InvalidError("not_text", detail) from None
    at = 0
    while len(text) - at > MAX_LINE_BYTES:  # every stretch of so many bytes holds the end of a line
        at = text.rfind(b"\n", at, at + MAX_LINE_BYTES + 1) + 1
        if not at:
            _check_lengths(lines_of(text), done)
            return


def _check_lengths(lines: list[str], done: int) -> None:
    """The same by characters, which may be fewer than bytes."""
    for number, line in enumerate(lines, start=done + 1):
        if len(line) > MAX_LINE_BYTES:
            raise _too_long(number)


def _refuse_binary(start: bytes) -> None:
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise InvalidError("not_text", f"the file is {kind}: send it as CSV, UTF-8 text")


def _too_long(line: int) -> InvalidError:
    detail = f"line {line} is longer than {MAX_LINE_BYTES >> 10} KiB: the file is not a table with one row per line"
    return InvalidError("not_text", detail)
