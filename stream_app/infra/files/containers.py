"""What a file is by its first bytes: text, perhaps compressed, or a table of another kind."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from stream_app.infra.files.csv_records import Record
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.records import Records, cell
from stream_app.infra.files.workbook import sheet_text
from stream_app.infra.zstandard import zstd
from stream_app.usecases.errors import InvalidError

_REFUSED: Final = {
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"%PDF": "a PDF document",
    b"<?xml": "an XML document",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file (MATLAB 7.3 too)",
    b"MATLAB 5.0": "a MATLAB file",
}
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
_ZIP, _PARQUET, _ARROW, _ARROW_STREAM = b"PK\x03\x04", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
#: Of a compressed file that is unpacked as a whole.
_MOST_BYTES: Final = 1 << 30
#: Raised when a file that is packed or binary is damaged.
DAMAGES: Final = (pa.ArrowException, zipfile.BadZipFile, EOFError, OSError, zlib.error, zstd.ZstdError)
_ARROW_ROWS: Final = 10_000


def is_text(start: bytes) -> bool:
    """Whether a file that begins so is neither packed nor a table of another kind."""
    return not start.startswith((*_REFUSED, _OLD_WORKBOOK, GZIP, ZSTD, _ZIP, _PARQUET, _ARROW, _ARROW_STREAM))


def unpacked(file: BinaryIO, wanted: Mapping[str, str], findings: Findings) -> BinaryIO | Records:
    """The text within a file, or its table. The file is seekable, and what is returned too.

    Parameters
    ----------
    wanted
        Titles that the user gives, by our names.

    Raises
    ------
    InvalidError
        The file is of a kind that is not read, or is damaged, or an archive of several files.
    """
    try:
        return _unpacked(file, wanted, findings)
    except (*DAMAGES, ValueError, NotImplementedError, RuntimeError) as error:  # the last: it has a password
        raise damaged(error) from None


def damaged(error: Exception) -> InvalidError:
    """What to say of a file that is damaged, as only reading it shows."""
    return InvalidError("not_text", f"the file is damaged, or cannot be opened: {str(error)[:200]}")


def _unpacked(file: BinaryIO, wanted: Mapping[str, str], findings: Findings) -> BinaryIO | Records:
    file.seek(0)
    start = file.read(16)
    file.seek(0)
    for magic, kind in _REFUSED.items():
        if start.startswith(magic):
            raise InvalidError("not_text", f"the file is {kind}: send it as CSV, UTF-8 text")
    if start.startswith(GZIP):
        findings.note("the file is compressed with gzip")
        # By itself it goes by the file's mode, and an upload's is for writing too.
        inner = gzip.GzipFile(fileobj=file, mode="rb")
        inner.read(1)
        return _unpacked(cast("BinaryIO", inner), wanted, findings)
    if start.startswith(ZSTD):
        findings.note("the file is compressed with zstd")
        return _unpacked(cast("BinaryIO", zstd.ZstdFile(file, "rb")), wanted, findings)
    if start.startswith(_ZIP):
        return _unzipped(file, wanted, findings)
    if start.startswith(_OLD_WORKBOOK):
        return sheet_text(file, wanted, findings)
    if start.startswith(_PARQUET):
        table = pq.ParquetFile(file)
        return _arrow(table.schema_arrow, lambda: table.iter_batches(_ARROW_ROWS), "a Parquet file", findings)
    if start.startswith((_ARROW, _ARROW_STREAM)):
        if start.startswith(_ARROW):
            reader = pa.ipc.open_file(file)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            return _arrow(reader.schema, lambda: iter(batches), "an Arrow file", findings)
        whole = pa.ipc.open_stream(file).read_all()
        return _arrow(whole.schema, lambda: iter(whole.to_batches()), "an Arrow stream", findings)
    return file


def _unzipped(file: BinaryIO, wanted: Mapping[str, str], findings: Findings) -> BinaryIO | Records:
    archive = zipfile.ZipFile(file)
    names = [info.filename for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
    if not {"[Content_Types].xml", "content.xml"}.isdisjoint(names):
        if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
            raise InvalidError("not_text", "the workbook holds more than 1 GiB: save the sheet as CSV")
        return sheet_text(file, wanted, findings)
    if len(names) != 1:
        shown = ", ".join(names[:5])
        raise InvalidError("not_text", f"the ZIP archive holds {len(names)} files ({shown}): send one at a time")
    if archive.getinfo(names[0]).file_size > _MOST_BYTES:
        raise InvalidError("not_text", "the ZIP archive holds more than 1 GiB: unpack it before")
    findings.note(f"the file is a ZIP archive: {names[0]!r} is read")
    return _unpacked(io.BytesIO(archive.read(names[0])), wanted, findings)


def _arrow(schema: Any, batches: Any, kind: str, findings: Findings) -> Records:
    findings.note(f"the file is {kind}")
    titles = [
        "timestamp" if field.name == "__index_level_0__" and pa.types.is_timestamp(field.type) else field.name
        for field in schema
    ]

    def rows() -> Iterator[Record]:
        number = 0
        for batch in batches():
            columns = [[cell(value) for value in _plain(column)] for column in batch.columns]
            for row in zip(*columns, strict=True):
                number += 1
                yield number, row

    return Records(titles, rows, kind)


def _plain(column: Any) -> list[Any]:
    """Values of a column; times to the microsecond."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return cast("list[Any]", column.to_pylist())
