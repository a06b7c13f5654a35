"""Text of a file, read in bounded memory as UTF-8; binary files are refused."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from stream_app.infra.files.findings import Findings
from stream_app.usecases.errors import InvalidError

MAX_LINE_BYTES: Final = 64 << 10
_LINE_FEED: Final = ord("\n")
CHUNK_BYTES: Final = 1 << 20
_MARKS: Final = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
#: Of text that is not UTF-8.
FALLBACK: Final = "cp1252"
UTF_8: Final = "utf-8"


class NotUtf8Error(Exception):
    """The text is not UTF-8."""


def encoding_of(start: bytes) -> str:
    """Encoding of a text by its first bytes: a byte order mark, or NUL bytes in every other place; else UTF-8."""
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    pairs = np.frombuffer(start[: len(start) // 2 * 2], np.uint8).reshape(-1, 2)
    if len(pairs) > 4:
        even, odd = (pairs == 0).mean(axis=0)
        if odd > 0.9 and even < 0.1:
            return "utf-16-le"
        if even > 0.9 and odd < 0.1:
            return "utf-16-be"
    return UTF_8


def read_text(file: BinaryIO, encoding: str | None = None, findings: Findings | None = None) -> Iterator[bytes]:
    """Read whole lines, many at a time, as valid UTF-8; each ends in a line feed, but perhaps the file's last one.

    A byte order mark is dropped, and NUL bytes at the ends of lines, which a power failure leaves.

    Parameters
    ----------
    encoding
        None: by the first bytes, else UTF-8.
    findings
        Takes lines with NUL bytes.

    Raises
    ------
    NotUtf8Error
        The text is not UTF-8, and no other encoding was named.
    InvalidError
        With the line, when one has more than :data:`MAX_LINE_BYTES`, or the encoding is not known or not the file's.
    """
    rest, done = b"", 0
    for chunk in _utf8(file, encoding):
        end = chunk.rfind(b"\n") + 1
        if end:
            text, rest = rest + chunk[:end], chunk[end:]
            yield _checked(text, done, encoding, findings)
            done += int(np.count_nonzero(np.frombuffer(text, np.uint8) == _LINE_FEED))  # twice as fast as bytes.count
        else:
            rest += chunk
        if len(rest) > MAX_LINE_BYTES and len(rest.strip(b"\x00")) > MAX_LINE_BYTES:
            raise _too_long(done + 1)
    if rest:
        yield _checked(rest, done, encoding, findings)


def _utf8(file: BinaryIO, encoding: str | None) -> Iterator[bytes]:
    first = file.read(CHUNK_BYTES)
    name = encoding or encoding_of(first)
    old_mac = b"\r" in first and b"\n" not in first  # line ends of old Macs
    if name == UTF_8 and not old_mac:
        yield first.removeprefix(b"\xef\xbb\xbf")
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
        return
    try:
        # Some bytes mean nothing in cp1252; no cell that we read holds them.
        decoder = codecs.getincrementaldecoder(name)("replace" if name == FALLBACK else "strict")
        text = decoder.decode(first).removeprefix("\ufeff")
        while True:
            yield (text.replace("\r", "\n") if old_mac else text).encode()
            chunk = file.read(CHUNK_BYTES)
            text = decoder.decode(chunk, not chunk)
            if not chunk and not text:
                return
    except LookupError:
        detail = f"{name!r} is not an encoding: name one such as utf-8, utf-16, cp1252"
        raise InvalidError("not_text", detail) from None
    except UnicodeDecodeError as error:
        if encoding is None and name == UTF_8:
            raise NotUtf8Error from None
        raise InvalidError("not_text", f"the text is not {name}: {error.reason}") from None


def lines_of(text: bytes) -> list[str]:
    """Lines of a portion of text, without their line feeds."""
    return text.decode().removesuffix("\n").split("\n")


def _checked(text: bytes, done: int, encoding: str | None, findings: Findings | None) -> bytes:
    """The text; ``done`` counts the lines before it."""
    if b"\x00" in text:
        line = done + 1 + text.count(b"\n", 0, text.index(b"\x00"))
        if findings is not None:
            findings.note(f"line {line} holds NUL bytes, as a power failure leaves them: they are skipped")
        text = b"\n".join(each.strip(b"\x00") for each in text.split(b"\n"))
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            if encoding in (None, UTF_8):
                raise NotUtf8Error from None
            raise
    at = 0
    while len(text) - at > MAX_LINE_BYTES:  # every stretch of so many bytes holds the end of a line
        at = text.rfind(b"\n", at, at + MAX_LINE_BYTES + 1) + 1
        if not at:
            _check_lengths(lines_of(text), done)
            break
    return text


def _check_lengths(lines: list[str], done: int) -> None:
    """The same by characters, which may be fewer than bytes."""
    for number, line in enumerate(lines, start=done + 1):
        if len(line) > MAX_LINE_BYTES:
            raise _too_long(number)


def _too_long(line: int) -> InvalidError:
    detail = f"line {line} is longer than {MAX_LINE_BYTES >> 10} KiB: the file is not a table with one row per line"
    return InvalidError("not_text", detail)
