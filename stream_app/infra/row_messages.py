"""Rows to messages of the measurements topic, whose key is the asset id."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import BinaryIO, Final, Literal

import numpy as np
import orjson
from msgspec import json as typed_json

from schemas.asset import is_upload
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.columns.arrays import IntArray
from stream_app.infra.files.block import BLOCK_ROWS, Block
from stream_app.infra.files.diagnosis import diagnosis
from stream_app.infra.files.head import head
from stream_app.infra.files.measurement_file import MeasurementFile
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import PostedKind, RowMessage
from stream_app.wire.decode import arrow
from stream_app.wire.decode.explain import parse, read_row, rows_of_batch
from stream_app.wire.decode.refusal import UPLOAD_CURE, Refusal, shown
from stream_app.wire.decode.row import Row
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp

#: ``rows``: a JSON row per message; per block and asset ``columns``: a columnar batch, ``arrow``: an Arrow IPC stream.
Form = Literal["rows", "columns", "arrow"]

#: Assets of an uploaded file: each is an asset of its own, which the answer names.
MAX_UPLOAD_ASSETS: Final = 100
#: Bad rows of a posted body that one answer lists.
_MAX_ERRORS = 20


def encode(block: Block, asset_id: str | None, form: Form) -> Iterator[tuple[str, RowMessage]]:
    """Encode a block: asset ids and messages, each asset's rows in their order.

    Parameters
    ----------
    asset_id
        Asset of all rows; None: the block names the asset of each row.

    Raises
    ------
    InvalidError
        When neither names an asset.
    """
    if asset_id is None and block.owners is None:
        detail = "the file has no asset column (such as asset_id or device_id): add one, or name the asset of the rows"
        raise InvalidError("no_asset", detail, None, "asset_id")
    if form == "rows":
        return _single_rows(block, asset_id)
    encoded = _columns if form == "columns" else _arrow
    return ((name, RowMessage(len(rows), encoded(name, rows))) for name, rows in _by_asset(block, asset_id))


def _by_asset(block: Block, asset_id: str | None) -> Iterator[tuple[str, Block]]:
    if asset_id is not None or block.owners is None:
        yield str(asset_id), block
        return
    names, of_row = block.owners.names, block.owners.of_row
    if len(names) == 1:
        yield names[0], block
        return
    for name, mine in zip(names, np.split(np.argsort(of_row, kind="stable"), _ends(of_row, len(names))), strict=True):
        if len(mine):
            yield name, block.take(mine)


def _ends(of_row: IntArray, assets: int) -> IntArray:
    """Where the rows of each asset but the last end, when rows are sorted by asset."""
    ends: IntArray = np.cumsum(np.bincount(of_row, minlength=assets))[:-1]
    return ends


def _columns(name: str, rows: Block) -> bytes:
    # NaN is written as null: not measured.
    content = {"asset_id": name, "timestamp": list(rows.timestamps), **rows.columns}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _arrow(_: str, rows: Block) -> bytes:
    return arrow.write(rows.time_us.view("datetime64[us]"), rows.columns)


def _single_rows(block: Block, asset_id: str | None) -> Iterator[tuple[str, RowMessage]]:
    names = ("asset_id", "timestamp", *block.columns)
    owners = repeat(asset_id, len(block)) if asset_id is not None else block.asset_ids or ()
    readings = (values.tolist() for values in block.columns.values())
    for row in zip(owners, block.timestamps, *readings, strict=True):
        yield row[0], RowMessage(1, orjson.dumps(dict(zip(names, row, strict=True))))


class FileMessages:
    """Messages of a file that has been checked (a :class:`stream_app.usecases.ports.CheckedFile`).

    Raises
    ------
    InvalidError
        The file is not a table of measurements, or too much of it cannot be read, or it names too many assets.
    """

    def __init__(self, file: BinaryIO, spec: FileSpec) -> None:
        self._file = MeasurementFile(file, spec)
        findings = self._file.check()
        assets = self._file.assets
        if len(assets) > MAX_UPLOAD_ASSETS:
            detail = f"the file holds rows of {len(assets)} assets, and an upload at most those of {MAX_UPLOAD_ASSETS}"
            detail = f"{detail}: upload fewer at a time, or send them with stream-app produce"
            raise InvalidError("several_assets", detail, None, "asset_id")
        self.rows = findings.rows
        self.told = findings.told()
        self.assets = assets if len(assets) > 1 else []

    def messages(self, asset_ids: Sequence[str]) -> Iterator[tuple[str, RowMessage]]:
        """The rows as messages of one asset, or of as many as the file has."""
        renamed = dict(zip(self.assets, asset_ids, strict=True)) if self.assets else {}
        for block in self._file.blocks():
            for name, message in encode(block, None if renamed else asset_ids[0], "arrow"):
                yield renamed.get(name, name), message


class RowMessages:
    """Users' files and posted bodies as messages (a :class:`stream_app.usecases.ports.RowReader`)."""

    def check(self, file: BinaryIO, spec: FileSpec) -> FileMessages:
        """Read a file to its end."""
        return FileMessages(file, spec)

    def diagnose(self, file: BinaryIO, spec: FileSpec, name: str) -> Diagnosis:
        """Look at the beginning of a file."""
        beginning, whole = head(file)
        found = MeasurementFile(beginning, spec)
        found.examine()
        return diagnosis(found, spec, name, whole=whole)

    def posted(
        self, body: bytes, kind: PostedKind = "json", asset_id: str | None = None
    ) -> Mapping[str, Sequence[RowMessage]]:
        """Read posted rows; messages by asset."""
        if kind == "table":
            return _posted_table(body, asset_id)
        by_asset: dict[str, list[Row]] = {}
        for row in _checked(_posted_lines(body) if kind == "lines" else _posted_json(body)):
            by_asset.setdefault(row.asset_id, []).append(row)
        return {
            name: [
                RowMessage(len(part), typed_json.encode(part))
                for part in (rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS))
            ]
            for name, rows in by_asset.items()
        }


def _posted_table(body: bytes, asset_id: str | None) -> Mapping[str, Sequence[RowMessage]]:
    """Rows of a file, such as CSV or an Arrow stream; each asset's in time order."""
    file = MeasurementFile(io.BytesIO(body), FileSpec(strict=True), asset_id)
    file.check()
    if asset_id is not None and file.assets:
        detail = "the rows name their assets themselves: leave asset_id out"
        raise InvalidError("bad_request_field", detail, column="asset_id")
    by_asset: dict[str, list[RowMessage]] = {}
    for block in file.blocks():
        for name, message in encode(block, asset_id if block.owners is None else None, "arrow"):
            if is_upload(name):
                detail = f"{name} is an upload, which takes no more rows; {UPLOAD_CURE}"
                raise InvalidError("reserved_asset", detail, None, "asset_id")
            by_asset.setdefault(name, []).append(message)
    return by_asset


def _posted_lines(body: bytes) -> Sequence[object]:
    """A row in each line, as JSON; lines count from 0, and empty ones are none."""
    rows = []
    for number, line in enumerate(line for line in body.split(b"\n") if line.strip()):
        try:
            rows.append(parse(line))
        except Refusal as refusal:
            raise InvalidError(refusal.code, f"row {number}: {refusal.reason}", number) from None
    return rows


def _posted_json(body: bytes) -> Sequence[object]:
    try:
        content = parse(body)
        if isinstance(content, dict) and isinstance(content.get("timestamp"), list):
            name = content.get("asset_id")
            if not isinstance(name, str):
                raise InvalidError("bad_row", f"asset_id must be text, not {shown(name)}", None, "asset_id")
            return list(rows_of_batch(content, name))
    except Refusal as refusal:
        raise InvalidError(refusal.code, refusal.reason, None, refusal.column) from None
    contents = content.get("rows") if isinstance(content, dict) else content
    if not isinstance(contents, list):
        detail = 'the body must be an array of rows, {"rows": [...]}, or an asset\'s columns as arrays'
        raise InvalidError("bad_body", f"{detail}; it is {shown(content)}")
    return contents


def _checked(contents: Sequence[object]) -> list[Row]:
    if not contents:
        raise InvalidError("no_rows", "the body holds no rows: send at least one")
    rows: list[Row] = []
    errors: list[InvalidError] = []
    for index, row in enumerate(contents):
        try:
            rows.append(checked_row(row, index, f"row {index}"))
        except InvalidError as error:
            errors.append(error)
            if len(errors) == _MAX_ERRORS:
                break
    if errors:
        first = errors[0]
        raise InvalidError(
            first.code,
            f"{first.detail}; nothing was stored",
            first.row,
            first.column,
            tuple((error.row, error.column, error.detail) for error in errors),
        )
    return rows


def checked_row(content: object, row: int, place: str) -> Row:
    """Read a row and check all of it; an InvalidError names the given ``row`` and ``place``."""
    try:
        read = read_row(content)
        parse_timestamp(read.timestamp)
    except Refusal as refusal:
        raise InvalidError(refusal.code, f"{place}: {refusal.reason}", row, refusal.column) from None
    except TimestampError as error:
        raise InvalidError("bad_timestamp", f"{place}, column timestamp: {error}", row, "timestamp") from None
    if is_upload(read.asset_id):
        detail = f"{place}: {read.asset_id} is an upload, which takes no more rows; {UPLOAD_CURE}"
        raise InvalidError("reserved_asset", detail, row, "asset_id")
    return read
