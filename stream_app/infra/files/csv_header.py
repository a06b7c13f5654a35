"""The header line of a CSV file: which column is which, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.row import REQUIRED

MAX_COLUMNS: Final = 500
TIMESTAMP: Final = "timestamp"
ASSET_ID: Final = "asset_id"
HEADER_ROW: Final = 0  # as the row of an error
_NEEDED: Final = (TIMESTAMP, *REQUIRED)
EXPECTED: Final = ",".join(_NEEDED)

#: Names in the wild, lower case and letters and digits only.
_ALIASES: Final[dict[str, str]] = {
    alias: column
    for column, aliases in {
        TIMESTAMP: "timestamp time datetime dateandtime realtime unixtime unixtimestamp epoch ts t",
        ASSET_ID: "assetid asset batteryid deviceid vin cellid string",
        "current": "current i a amps idcbatt packcurrent batterycurrent",
        "voltage": "voltage v u udcbatt ecell potential packvoltage batteryvoltage",
        "soc": "soc stateofcharge batterylevel socreal",
        "power": "power p w pbat pac m5batp batterypower",
        "temperature": "temperature temp celltemperature auxtemperature1",
        "cell_v_min": "cellvmin brickvoltagemin",
        "cell_v_max": "cellvmax brickvoltagemax",
        "t_min": "tmin moduletempmin",
        "t_max": "tmax moduletempmax",
    }.items()
    for alias in aliases.split()
}

_NO_CHANGE: Final = (1.0, 0.0)
_VOLT: Final = {"v": _NO_CHANGE, "volt": _NO_CHANGE, "volts": _NO_CHANGE, "mv": (1e-3, 0.0), "kv": (1e3, 0.0)}
_CELSIUS: Final = dict.fromkeys(("c", "°c", "degc", "celsius"), _NO_CHANGE)
_KELVIN: Final = dict.fromkeys(("k", "kelvin"), (1.0, -273.15))
_FAHRENHEIT: Final = dict.fromkeys(("f", "°f", "degf", "fahrenheit"), (5 / 9, -160 / 9))
_TEMPERATURE: Final = _CELSIUS | _KELVIN | _FAHRENHEIT
#: Units by column: what to multiply and then to add. Which epoch unit a stamp has is told by its magnitude.
_UNITS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    TIMESTAMP: dict.fromkeys(("s", "sec", "second", "seconds", "ms", "us", "ns", "utc"), _NO_CHANGE),
    ASSET_ID: {},
    "current": {
        **dict.fromkeys(("a", "amp", "amps", "ampere", "amperes"), _NO_CHANGE),
        "ma": (1e-3, 0.0),
        "ka": (1e3, 0.0),
    },
    "voltage": _VOLT,
    "soc": {**dict.fromkeys(("%", "percent", "pct"), _NO_CHANGE), "fraction": (100.0, 0.0), "0-1": (100.0, 0.0)},
    "power": {"w": _NO_CHANGE, "watt": _NO_CHANGE, "watts": _NO_CHANGE, "kw": (1e3, 0.0), "mw": (1e6, 0.0)},
    "temperature": _TEMPERATURE,
    "cell_v_min": _VOLT,
    "cell_v_max": _VOLT,
    "t_min": _TEMPERATURE,
    "t_max": _TEMPERATURE,
}

_WITH_UNIT = re.compile(r"(.+?)\s*(?:\[([^\]]*)\]|\(([^)]*)\)|/([^/]+))")
_SUFFIX = re.compile(r"(.+)[_ ]([^_ ]+)")
_DATA = re.compile(r"\s*[+-]?\d[\d.,:/ TZ+-]*\s*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file that we read."""

    name: str  # the wire's name
    title: str  # as the file has it
    index: int
    scale: float
    offset: float


def read_header(titles: Sequence[str], line: int) -> dict[str, Column]:
    """Find our columns among a header's titles.

    Raises
    ------
    InvalidError
        When there is no header, a column is missing or there twice, or a unit is unknown.
    """
    if len(titles) > MAX_COLUMNS:
        raise InvalidError("bad_csv", f"line {line}: {len(titles)} columns; at most {MAX_COLUMNS} are read", HEADER_ROW)
    columns: dict[str, Column] = {}
    for index, title in enumerate(titles):
        column = _recognise(title.strip(), index)
        if column is None:
            continue
        before = columns.setdefault(column.name, column)
        ours = (before.title == before.name, column.title == column.name)
        if ours == (False, True):
            columns[column.name] = column  # our very name: it is meant
        elif before is not column and ours != (True, False):
            detail = (
                f"line {line}: {before.title!r} and {column.title!r} both mean {column.name}: rename the one to read"
            )
            raise InvalidError("bad_header", f"{detail} to {column.name!r}", HEADER_ROW, column.name)
    if not columns and any(_DATA.fullmatch(title) for title in titles):
        detail = f"line {line} holds data: the first line must be a header such as {EXPECTED}"
        raise InvalidError("no_header", detail, HEADER_ROW)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        detail = f"line {line}: the header has no column {' and none '.join(missing)}"
        raise InvalidError("missing_column", f"{detail}; {_why_missing(missing, titles)}", HEADER_ROW, missing[0])
    return columns


def _why_missing(missing: Sequence[str], titles: Sequence[str]) -> str:
    for title in titles:
        match = _WITH_UNIT.fullmatch(title.strip())
        name = _name(match[1]) if match else None
        if name is not None and name in missing:
            return f"the unit of {title.strip()!r} is unknown: known are {', '.join(_UNITS[name])}"
    found = ", ".join(repr(title.strip()[:40]) for title in titles[:20])
    separated = "; columns are separated by comma, semicolon or tab" if len(titles) == 1 else ""
    return f"found: {found}{separated}; expected: {EXPECTED}"


def _recognise(title: str, index: int) -> Column | None:
    if name := _name(title):
        return Column(name, title, index, *_NO_CHANGE)
    match = _WITH_UNIT.fullmatch(title) or _SUFFIX.fullmatch(title)
    if match is None or (name := _name(match[1])) is None:
        return None
    unit = next(group for group in match.groups()[1:] if group is not None).strip().casefold()
    return Column(name, title, index, *_UNITS[name][unit]) if unit in _UNITS[name] else None


def _name(title: str) -> str | None:
    if title == "T":  # the one pair of names that only the case tells apart: t is time
        return "temperature"
    return _ALIASES.get(re.sub(r"[^a-z0-9]", "", title.casefold()))
