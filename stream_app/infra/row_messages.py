"""Rows to messages of the measurements topic, whose key is the asset id."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import repeat
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import orjson
from msgspec import json as typed_json
from pydantic import TypeAdapter, ValidationError

from schemas.asset import AssetId, AssetSpec, is_upload
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.columns.arrays import IntArray
from stream_app.infra.files.block import BLOCK_ROWS, Block
from stream_app.infra.files.diagnosis import diagnosis
from stream_app.infra.files.head import head
from stream_app.infra.files.measurement_file import MeasurementFile
from stream_app.infra.foreign_rows import ForeignRows, file_spec_of
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import PostedKind, RowMessage
from stream_app.wire.decode import arrow
from stream_app.wire.decode.explain import (
    Translate,
    asset_of,
    is_columns,
    parse,
    read_row_by,
    rows_of_batch,
    rows_of_columns,
)
from stream_app.wire.decode.refusal import UPLOAD_CURE, Refusal, shown
from stream_app.wire.decode.row import Row
from stream_app.wire.decode.timestamps import TimestampError, parse_timestamp

#: ``rows``: a JSON row per message; per block and asset ``columns``: a columnar batch, ``arrow``: an Arrow IPC stream.
Form = Literal["rows", "columns", "arrow"]

#: Assets of an uploaded file: each is an asset of its own, which the answer names.
MAX_UPLOAD_ASSETS: Final = 100
#: Bad rows of a posted body that one answer lists.
_MAX_ERRORS = 20

_ASSET_ID: Final = TypeAdapter[str](AssetId)
#: How rows of what may be an asset's id are read that the contract refuses; None: not at all.
_TranslateOf = Callable[[object], Translate | None]


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

    def __init__(self) -> None:
        self._foreign = ForeignRows()

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
        self,
        body: bytes,
        kind: PostedKind = "json",
        asset_id: str | None = None,
        spec_of: Callable[[str], AssetSpec] = lambda _: AssetSpec(),
    ) -> Mapping[str, Sequence[RowMessage]]:
        """Read posted rows; messages by asset."""
        if kind == "table":
            return _posted_table(body, asset_id, FileSpec() if asset_id is None else file_spec_of(spec_of(asset_id)))
        translate_of = self._translations(spec_of)
        contents = _posted_lines(body) if kind == "lines" else _posted_json(body, translate_of)
        by_asset: dict[str, list[Row]] = {}
        for row in _checked(contents, translate_of):
            by_asset.setdefault(row.asset_id, []).append(row)
        return {
            name: [
                RowMessage(len(part), typed_json.encode(part))
                for part in (rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS))
            ]
            for name, rows in by_asset.items()
        }

    def _translations(self, spec_of: Callable[[str], AssetSpec]) -> _TranslateOf:
        """How rows of a body that the contract refuses are read; each asset's spec is looked up once."""

        @cache
        def by_profile(asset_id: str) -> Translate | None:
            spec = spec_of(asset_id)
            return None if spec.profile is None else partial(self._foreign, spec, asset_id)

        def translate_of(asset_id: object) -> Translate | None:
            try:
                return by_profile(_ASSET_ID.validate_python(asset_id, strict=True))
            except ValidationError:
                return None

        return translate_of


def _posted_table(body: bytes, asset_id: str | None, spec: FileSpec) -> Mapping[str, Sequence[RowMessage]]:
    """Rows of a file, such as CSV or an Arrow stream; each asset's in time order."""
    file = MeasurementFile(io.BytesIO(body), spec.model_copy(update={"strict": True}), asset_id)
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


def _posted_json(body: bytes, translate_of: _TranslateOf) -> Sequence[object]:
    try:
        content = parse(body)
        columns = _posted_columns(content, translate_of) if isinstance(content, dict) else None
        if columns is not None:
            return columns
    except Refusal as refusal:
        raise InvalidError(refusal.code, refusal.reason, None, refusal.column) from None
    contents = content.get("rows") if isinstance(content, dict) else content
    if not isinstance(contents, list):
        detail = 'the body must be an array of rows, {"rows": [...]}, or an asset\'s columns as arrays'
        raise InvalidError("bad_body", f"{detail}; it is {shown(content)}")
    return contents


def _posted_columns(content: Mapping[str, Any], translate_of: _TranslateOf) -> Sequence[object] | None:
    """Rows of one asset's columns; None when the object is none such."""
    name = content.get("asset_id")
    if isinstance(content.get("timestamp"), list):
        if not isinstance(name, str):
            raise InvalidError("bad_row", f"asset_id must be text, not {shown(name)}", None, "asset_id")
        try:
            return list(rows_of_batch(content, name))
        except Refusal:
            if translate_of(name) is None:
                raise
    elif "rows" in content or not is_columns(content) or translate_of(name) is None:
        return None
    return rows_of_columns(content)


def _checked(contents: Sequence[object], translate_of: _TranslateOf) -> list[Row]:
    if not contents:
        raise InvalidError("no_rows", "the body holds no rows: send at least one")
    rows: list[Row] = []
    errors: list[InvalidError] = []
    for index, row in enumerate(contents):
        try:
            rows.append(_checked_row(row, index, translate_of))
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


def _checked_row(content: object, row: int, translate_of: _TranslateOf) -> Row:
    """Read a row and check all of it."""
    place = f"row {row}"
    try:
        read = read_row_by(content, lambda: translate_of(asset_of(content)))
        parse_timestamp(read.timestamp)
    except Refusal as refusal:
        raise InvalidError(refusal.code, f"{place}: {refusal.reason}", row, refusal.column) from None
    except TimestampError as error:
        raise InvalidError("bad_timestamp", f"{place}, column timestamp: {error}", row, "timestamp") from None
    if is_upload(read.asset_id):
        detail = f"{place}: {read.asset_id} is an upload, which takes no more rows; {UPLOAD_CURE}"
        raise InvalidError("reserved_asset", detail, row, "asset_id")
    return read
