"""The table within a file: found once, and then read as often as needed, block by block in the file's order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import BinaryIO, Final

from schemas.file import FileSpec
from stream_app.infra.files import numbers, stamp_form
from stream_app.infra.files.block import BLOCK_ROWS, Block
from stream_app.infra.files.containers import unpacked
from stream_app.infra.files.csv_records import records_of
from stream_app.infra.files.csv_rows import read_csv
from stream_app.infra.files.csv_table import CellTable
from stream_app.infra.files.dates import is_zoned
from stream_app.infra.files.dialect import cells_of, find_header, sniff, with_suffixes
from stream_app.infra.files.document import rows_of
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import fits, read_header
from stream_app.infra.files.layout import Layout
from stream_app.infra.files.long_table import long_titles, pivoted
from stream_app.infra.files.profiles import profile_of
from stream_app.infra.files.records import Records, json_document, json_lines
from stream_app.infra.files.stamps import Stamps
from stream_app.infra.files.text import CHUNK_BYTES, FALLBACK, encoding_of, lines_of, read_text
from stream_app.usecases.errors import InvalidError

#: A JSON array, and not the name of a section in brackets.
_ARRAY: Final = re.compile(r"\s*\[\s*(?:[\[{\]\"]|$)")
_SAMPLE_ROWS: Final = 2000
_MOST_JSON_BYTES: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Table:
    """A table of measurements.

    Parameters
    ----------
    kind
        What the file is.
    layout, stamps
        How it is written.
    naive
        Whether its stamps are wall time of a zone that nobody names.
    long
        Whether it was a row per signal.
    read
        Reads it from the first row, and tells what it leaves out.
    """

    kind: str
    layout: Layout
    stamps: Stamps
    naive: bool
    long: bool
    read: Callable[[Findings], Iterator[Block]]


def open_table(file: BinaryIO, spec: FileSpec, findings: Findings) -> Table:
    """Find out how a file is written.

    Raises
    ------
    InvalidError
        The file is not a table of measurements, or can be read in two ways.
    NotUtf8Error
        The text is not UTF-8, as only its later lines show: name the encoding.
    """
    inner = unpacked(file, spec.columns, findings)
    if isinstance(inner, Records):
        return _of_records(inner, spec, findings)
    encoding = spec.encoding or _encoding(inner, findings)

    def portions(told: Findings | None = None) -> Iterator[bytes]:
        inner.seek(0)
        return read_text(inner, encoding, told)

    first = b""
    for first in portions():
        if first.strip():
            break
    start = first.lstrip()[:1]
    if _ARRAY.match(first.decode()[:1000]) or (start == b"{" and not _is_lines(first)):
        return _of_records(json_document(_whole(inner, encoding), findings), spec, findings)
    if start == b"{":
        return _of_records(json_lines(portions), spec, findings)
    lines = lines_of(first)
    _, separator, titles = find_header(lines, spec.columns)
    if not fits(titles, spec.columns):
        long = _long_csv(lines, separator, portions, findings)
        if long is not None:
            return _of_records(long, spec, findings)
    dialect = sniff(lines, spec, findings)
    if dialect.timezone is not None and spec.timezone is None:
        findings.note(f"the stamps are local time of {dialect.timezone}, as the header says")
        spec = spec.model_copy(update={"timezone": dialect.timezone})
    dialect = replace(dialect, layout=stamp_form.settled(dialect.layout, dialect.sample))
    stamps = stamp_form.decide(dialect.layout, dialect.sample, spec, findings)
    texts = stamp_form.stamps_of(dialect.layout, dialect.sample)

    def read(told: Findings) -> Iterator[Block]:
        stamps.restart()
        return read_csv(portions(told), dialect, stamps, told)

    return Table("CSV text", dialect.layout, stamps, _is_naive(stamps, texts, spec), False, read)


def _encoding(file: BinaryIO, findings: Findings) -> str | None:
    file.seek(0)
    start = file.read(CHUNK_BYTES)
    name = encoding_of(start)
    if name != "utf-8":
        findings.note(f"the text is {name}")
        return name
    whole = start[: start.rfind(b"\n") + 1] or start
    try:
        whole.decode()
    except UnicodeDecodeError:
        findings.note(f"the text is not UTF-8: it is read as {FALLBACK} (--encoding names another)")
        return FALLBACK
    return None


def _is_lines(first: bytes) -> bool:
    """Whether text that begins with a brace holds an object per line."""
    lines = [line for line in first.decode().splitlines()[:3] if line.strip()]
    if len(lines) == 1 and first.endswith(b"\n") is False and len(first) >= CHUNK_BYTES:
        return False
    try:
        content = json.loads(lines[0])
    except (ValueError, RecursionError):
        return len(lines) > 1 and lines[0].strip() != "{"  # a line at fault, or a document over many
    return len(lines) > 1 or not rows_of(content)


def _whole(file: BinaryIO, encoding: str | None) -> bytes:
    file.seek(0)
    content = file.read(_MOST_JSON_BYTES + 1)
    if len(content) > _MOST_JSON_BYTES:
        raise InvalidError("bad_json", "the JSON document is larger than 256 MiB: send a JSON row per line instead")
    return content.decode(encoding or "utf-8-sig").removeprefix("\ufeff").encode()


def _long_csv(
    lines: list[str], separator: str, portions: Callable[[], Iterator[bytes]], findings: Findings
) -> Records | None:
    """A long table; None when it is none."""
    for number, line in enumerate(lines[:100]):
        ((_, titles), *_), _ = records_of([line.rstrip("\r")], separator, 0)
        at = long_titles(titles)
        if at is not None:
            if (profile := profile_of(titles)) is not None:
                findings.note(f"the titles are those of {profile.name}")
            rows = (
                record
                for portion, before in _numbered(portions())
                for record in records_of(lines_of(portion), separator, before)[0]
                if record[0] > number + 1
            )
            return pivoted(rows, at)
    return None


def _numbered(portions: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    before = 0
    for portion in portions:
        yield portion, before
        before += portion.count(b"\n")


def _of_records(records: Records, spec: FileSpec, findings: Findings) -> Table:
    long = records.kind.startswith("a long table")
    at = None if fits(records.titles, spec.columns) else long_titles(records.titles)
    if at is not None:
        records, long = pivoted(records.rows(), at), True
    layout = read_header(records.titles, "the table", spec, findings)
    rows = records.rows()
    sample = [list(cells) for _, cells in islice(rows, _SAMPLE_ROWS) if len(cells) == layout.width]
    layout = with_suffixes(layout, sample, findings)
    form, notes = numbers.decide(cells_of(layout, sample), ",", spec)
    for note in notes:
        findings.note(note)
    layout = stamp_form.settled(replace(layout, numbers=form), sample)
    stamps = stamp_form.decide(layout, sample, spec, findings)
    naive = _is_naive(stamps, stamp_form.stamps_of(layout, sample), spec)
    return Table(records.kind, layout, stamps, naive, long, partial(_read_records, records, layout, stamps))


def _read_records(records: Records, layout: Layout, stamps: Stamps, findings: Findings) -> Iterator[Block]:
    stamps.restart()
    table = CellTable(layout, stamps, findings)
    rows = records.rows()
    for first in rows:
        block = table.block([first, *islice(rows, BLOCK_ROWS - 1)])
        if len(block):
            yield block
    table.finish(cut=False)


def _is_naive(stamps: Stamps, texts: list[str], spec: FileSpec) -> bool:
    return stamps.kind == "text" and spec.timezone is None and any(text and not is_zoned(text) for text in texts)
