"""The header of a CSV file: which column holds which reading, and in which unit."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.columns import BY_WIRE_NAME, REQUIRED
from stream_app.usecases.errors import InvalidError

MAX_COLUMNS: Final = 500
TIMESTAMP: Final = "timestamp"
ASSET_ID: Final = "asset_id"
HEADER_ROW: Final = 0  # as the row of an error
_NEEDED: Final = (TIMESTAMP, *REQUIRED)
EXPECTED: Final = ",".join(_NEEDED)

#: Titles of each column beside its own name, as :class:`schemas.columns.Column` has them.
_TITLES: Final = {
    TIMESTAMP: "time datetime dateandtime realtime unixtime unixtimestamp epoch ts t",
    ASSET_ID: "asset batteryid deviceid vin cellid string",
    **{name: column.titles for name, column in BY_WIRE_NAME.items()},
}

_NO_CHANGE: Final = (1.0, 0.0)
#: How titles spell a unit and its multiples: what to multiply a reading by, and then to add.
_SPELLINGS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "A": {
        **dict.fromkeys(("a", "amp", "amps", "ampere", "amperes"), _NO_CHANGE),
        "ma": (1e-3, 0.0),
        "ka": (1e3, 0.0),
    },
    "V": {"v": _NO_CHANGE, "volt": _NO_CHANGE, "volts": _NO_CHANGE, "mv": (1e-3, 0.0), "kv": (1e3, 0.0)},
    "%": {**dict.fromkeys(("%", "percent", "pct"), _NO_CHANGE), "fraction": (100.0, 0.0), "0-1": (100.0, 0.0)},
    "W": {"w": _NO_CHANGE, "watt": _NO_CHANGE, "watts": _NO_CHANGE, "kw": (1e3, 0.0), "mw": (1e6, 0.0)},
    "degC": {
        **dict.fromkeys(("c", "°c", "degc", "celsius"), _NO_CHANGE),
        **dict.fromkeys(("k", "kelvin"), (1.0, -273.15)),
        **dict.fromkeys(("f", "°f", "degf", "fahrenheit"), (5 / 9, -160 / 9)),
    },
}
#: The same by column. Which epoch unit a timestamp has follows from its magnitude.
_UNITS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    TIMESTAMP: dict.fromkeys(("s", "sec", "second", "seconds", "ms", "us", "ns", "utc"), _NO_CHANGE),
    ASSET_ID: {},
    **{
        name: _SPELLINGS.get(column.unit, {column.unit.casefold(): _NO_CHANGE}) for name, column in BY_WIRE_NAME.items()
    },
}

_WITH_UNIT = re.compile(r"(.+?)\s*(?:\[([^\]]*)\]|\(([^)]*)\)|/([^/]+))")
_SUFFIX = re.compile(r"(.+)[_ ]([^_ ]+)")
_DATA = re.compile(r"\s*[+-]?\d[\d.,:/ TZ+-]*\s*")
_PUNCTUATION = re.compile(r"[^a-z0-9]")


def _plain(title: str) -> str:
    """A title's letters and digits, lower case."""
    return _PUNCTUATION.sub("", title.casefold())


_NAMES: Final = {title: name for name, titles in _TITLES.items() for title in (_plain(name), *titles.split())}


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file that we read."""

    name: str  # on the wire
    title: str  # in the file
    index: int
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written: found once, from its header, and the same for all of its rows.

    Parameters
    ----------
    separator
        Between cells.
    decimal_comma
        Whether a comma may stand for the decimal point.
    width
        Cells of a row.
    stamps, assets, readings
        The columns that we read; the readings in the order of messages.
    """

    separator: str
    decimal_comma: bool
    width: int
    stamps: FileColumn
    assets: FileColumn | None
    readings: tuple[FileColumn, ...]


def read_layout(title: str, line: int) -> Layout:
    """Find separator and columns in the line of titles.

    Raises
    ------
    InvalidError
        As :func:`read_header` does, and when the line cannot be split.
    """
    separator = max(";\t,", key=title.count)
    try:
        titles = next(csv.reader([title], delimiter=separator, strict=True))
    except csv.Error as error:
        raise InvalidError("bad_csv", f"line {line}: {error}", HEADER_ROW) from None
    columns = read_header(titles, line)
    readings = tuple(columns[name] for name in BY_WIRE_NAME if name in columns)
    return Layout(separator, separator == ";", len(titles), columns[TIMESTAMP], columns.get(ASSET_ID), readings)


def read_header(titles: Sequence[str], line: int) -> dict[str, FileColumn]:
    """Find our columns among a header's titles.

    Raises
    ------
    InvalidError
        When there is no header, a column is missing or appears twice, or a unit is not known.
    """
    if len(titles) > MAX_COLUMNS:
        detail = (
            f"line {line}: {len(titles)} columns; at most {MAX_COLUMNS} are read: leave out those that are not needed"
        )
        raise InvalidError("bad_csv", detail, HEADER_ROW)
    columns: dict[str, FileColumn] = {}
    for index, title in enumerate(titles):
        column = _recognise(title.strip(), index)
        if column is None:
            continue
        before = columns.setdefault(column.name, column)
        ours = (before.title == before.name, column.title == column.name)
        if ours == (False, True):
            columns[column.name] = column  # exactly our name: it is the one that is meant
        elif before is not column and ours != (True, False):
            detail = (
                f"line {line}: {before.title!r} and {column.title!r} both mean {column.name}: rename the one to read"
            )
            raise InvalidError("bad_header", f"{detail} to {column.name!r}", HEADER_ROW, column.name)
    if not columns and any(_DATA.fullmatch(title) for title in titles):
        detail = f"line {line} holds data, not titles: the first line must be a header such as {EXPECTED}"
        raise InvalidError("no_header", detail, HEADER_ROW)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        detail = f"line {line}: the header has no column {' and no column '.join(missing)}"
        raise InvalidError("missing_column", f"{detail}; {_why_missing(missing, titles)}", HEADER_ROW, missing[0])
    return columns


def _why_missing(missing: Sequence[str], titles: Sequence[str]) -> str:
    for title in titles:
        match = _WITH_UNIT.fullmatch(title.strip())
        name = _name(match[1]) if match else None
        if name is not None and name in missing:
            return f"the unit of {title.strip()!r} is not known: write one of {', '.join(_UNITS[name])}"
    found = ", ".join(repr(title.strip()[:40]) for title in titles[:20])
    separated = "; columns are separated by comma, semicolon or tab" if len(titles) == 1 else ""
    return f"found: {found}{separated}; expected: {EXPECTED}"


def _recognise(title: str, index: int) -> FileColumn | None:
    """Column that a title names, with the unit at its end."""
    if name := _name(title):
        return FileColumn(name, title, index, *_NO_CHANGE)
    match = _WITH_UNIT.fullmatch(title) or _SUFFIX.fullmatch(title)
    if match is None or (name := _name(match[1])) is None:
        return None
    unit = next(group for group in match.groups()[1:] if group is not None).strip().casefold()
    return FileColumn(name, title, index, *_UNITS[name][unit]) if unit in _UNITS[name] else None


def _name(title: str) -> str | None:
    """Column that a title without its unit names."""
    return _NAMES.get(title) or _NAMES.get(_plain(title))
