"""Rows and columnar batches as the typed decoder reads them: structs with a field for each of the input columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from msgspec import Struct, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from schemas.columns import BY_WIRE_NAME, COLUMNS
from stream_app.wire.decode.timestamps import Stamp


class Row(Struct, gc=False, omit_defaults=True):
    """A single row. Its readings are fields by wire name: :func:`columns_of` takes them out.

    The field ``control`` must be absent or null: else the object is a control record.
    """

    asset_id: str
    timestamp: Stamp


class ColumnBatch(Struct, gc=False):
    """Rows of one asset as columns, each a field by wire name; all should have the same length."""

    asset_id: str
    timestamp: list[Stamp]

    def columns(self) -> dict[str, list[float | None]]:
        """Columns that are there, by wire name."""
        return {name: values for name in BY_WIRE_NAME if (values := getattr(self, name)) is not None}


def _fields(reading: Any) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    """Fields of the input columns; those that are not required are null by default."""
    readings = [
        (column.wire_name, reading) if column.required else (column.wire_name, reading | None, None)
        for column in COLUMNS
    ]
    return [*readings, ("control", None, None)]


_Row: Final = cast(type[Row], defstruct("Row", _fields(float | None), bases=(Row,)))
_ColumnBatch: Final = cast(
    type[ColumnBatch], defstruct("ColumnBatch", _fields(list[float | None]), bases=(ColumnBatch,))
)

ROWS: Final[Decoder[list[Row]]] = Decoder(list[_Row])  # type: ignore[valid-type]  # made from the table of columns
COLUMN_BATCH: Final[Decoder[ColumnBatch]] = Decoder(_ColumnBatch)

_FIRST_READING: Final = len(Row.__struct_fields__)


def make_row(asset_id: str, timestamp: Stamp, readings: Iterable[float | None]) -> Row:
    """Make a row; one reading for each input column, in the table's order."""
    return _Row(asset_id, timestamp, *readings)


def columns_of(rows: Sequence[Row]) -> dict[str, Sequence[float | None]]:
    """Columns of at least one row, by wire name; optional columns that no row has are left out."""
    fields = list(zip(*map(astuple, rows), strict=True))
    return {
        column.wire_name: values
        for column, values in zip(COLUMNS, fields[_FIRST_READING:], strict=False)
        if column.required or values.count(None) < len(values)
    }
