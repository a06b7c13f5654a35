"""Rows with the titles of a device or a program, as rows of the contract: by the tables that files are read by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.asset import AssetSpec
from schemas.columns import REQUIRED
from schemas.file import FileSpec
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import read_header
from stream_app.infra.files.layout import SIGNED, FileColumn, Layout
from stream_app.infra.files.numbers import NO_VALUE
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.refusal import Refusal, shown

#: Forms of rows that are remembered: an asset sends few.
_MOST_LAYOUTS: Final = 256

_Key = tuple[str, bool, tuple[str, ...]]


def file_spec_of(spec: AssetSpec) -> FileSpec:
    """How rows of an asset are read as those of a file: by its profile, and a sign that was given stands above that.

    Rows are then as the asset sends them: its spec's sign is applied to all of them later.
    """
    said = {"profile", "current_sign"} if spec.profile is not None or spec.current_sign == "discharge_positive" else ()
    return FileSpec.model_validate(spec.model_dump(include=set(said), exclude_unset=True))


class ForeignRows:
    """Reads rows by the profile of their asset's spec (a :class:`stream_app.usecases.ports.RowTranslator`).

    The header of a form of rows is read once: the titles are the row's names, in their order.
    """

    def __init__(self) -> None:
        self._layouts: dict[_Key, Layout] = {}

    def __call__(self, spec: AssetSpec, asset_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with our names and units.

        Raises
        ------
        Refusal
            The titles do not name a time and a reading, or the time is an elapsed one.
        """
        layout = self._layout(spec, tuple(row))
        values: dict[str, Any] = dict.fromkeys(REQUIRED)
        for column in layout.readings:
            values[column.name] = _reading(row, column)
        for column in layout.outflows:
            values[column.name] = _balance(values[column.name], _reading(row, column))
        if layout.state is not None and str(row[layout.state.title]).strip().casefold().startswith(layout.discharging):
            values |= {name: _negative(values[name]) for name in SIGNED & values.keys()}
        return {"asset_id": row.get("asset_id", asset_id), "timestamp": _stamp(row, layout), **values}

    def _layout(self, spec: AssetSpec, titles: tuple[str, ...]) -> Layout:
        file_spec = file_spec_of(spec)
        key = str(spec.profile), "current_sign" in file_spec.model_fields_set, titles
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            try:
                found = read_header(titles, f"by profile {spec.profile}", file_spec, Findings())
            except InvalidError as error:
                raise Refusal("bad_row", error.detail, error.column) from None
            self._layouts[key] = found
        return found


def _stamp(row: Mapping[str, Any], layout: Layout) -> object:
    if layout.stamps is None or layout.elapsed:
        found = "names no time" if layout.stamps is None else f"has elapsed time ({layout.stamps.title!r}) alone"
        raise Refusal("bad_timestamp", f"the row {found}: send when it was measured, as timestamp", "timestamp")
    value: object = row[layout.stamps.title]
    return value if layout.dates is None else f"{row[layout.dates.title]} {value}"


def _reading(row: Mapping[str, Any], column: FileColumn) -> object:
    """A reading in our unit; what is no number is left, for the contract to refuse by its name."""
    value = row[column.title]
    if isinstance(value, str):
        if value.strip().casefold() in NO_VALUE:
            return None
        try:
            value = float(value)
        except ValueError:
            raise Refusal(
                "bad_row", f"{column.title} must be a number or null, not {shown(value)}", column.name
            ) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value if (column.scale, column.offset) == (1.0, 0.0) else value * column.scale + column.offset


def _balance(into: object, out: object) -> object:
    """What enters the battery, less what leaves it; one of both is enough."""
    if into is None and out is None:
        return None
    into, out = into or 0.0, out or 0.0
    return into - out if isinstance(into, int | float) and isinstance(out, int | float) else out


def _negative(value: object) -> object:
    return -value if isinstance(value, int | float) and value > 0 else value
