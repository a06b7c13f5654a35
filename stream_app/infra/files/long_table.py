"""Long tables, a row per signal: pivoted to a row per time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stream_app.infra.files.csv_records import UNREADABLE, Record
from stream_app.infra.files.records import Records
from stream_app.infra.files.titles import ASSET_ID, TIMESTAMP, plain, recognise

_NAMES: Final = [
    "field",
    "entityid",
    "statisticid",
    "point",
    "metric",
    "metricid",
    "signal",
    "signalname",
    "variable",
    "variableid",
    "parameter",
    "tag",
    "tagname",
    "key",
    "sensor",
    "channel",
    "series",
    "topic",
    "datapoint",
    "property",
    "name",
    "measurement",
]
_VALUES: Final = ["value", "state", "wert", "val", "reading", "mean", "statevalue", "numericvalue"]
_UNITS: Final = ["unit", "unitofmeasurement", "units", "einheit"]


@dataclass(frozen=True, slots=True)
class LongTitles:
    """Columns of a long table by number."""

    stamps: int
    names: int
    values: int
    units: int | None
    assets: int | None


def long_titles(titles: Sequence[str]) -> LongTitles | None:
    """Columns of a long table; None when the titles are not those of one."""
    plainly = [plain(title) for title in titles]
    found = [recognise(title) for title in titles]
    if any(each is not None and each.name not in (TIMESTAMP, ASSET_ID, "date", "elapsed") for each in found):
        return None
    stamps = [(each.rank, i) for i, each in enumerate(found) if each is not None and each.name == TIMESTAMP]
    if not stamps and "start" in plainly:
        stamps = [(0, plainly.index("start"))]
    names = next((plainly.index(name) for name in _NAMES if name in plainly), None)
    values = next((plainly.index(name) for name in _VALUES if name in plainly), None)
    if not stamps or names is None or values is None:
        return None
    units = next((plainly.index(name) for name in _UNITS if name in plainly), None)
    assets = next((i for i, each in enumerate(found) if each is not None and each.name == ASSET_ID), None)
    return LongTitles(min(stamps)[1], names, values, units, assets)


def pivoted(records: Iterable[Record], at: LongTitles) -> Records:
    """A row per asset and time, with a column per signal; in the order in which the times come first."""
    signals: dict[str, int] = {}
    rows: dict[tuple[str, str], tuple[int, dict[int, str]]] = {}
    needed = max(at.stamps, at.names, at.values)
    for line, cells in records:
        if len(cells) <= needed or cells[0].startswith(UNREADABLE):
            continue
        name = cells[at.names].strip()
        unit = cells[at.units].strip() if at.units is not None and at.units < len(cells) else ""
        title = f"{name} [{unit}]" if unit else name
        asset = cells[at.assets].strip() if at.assets is not None and at.assets < len(cells) else ""
        _, row = rows.setdefault((asset, cells[at.stamps].strip()), (line, {}))
        row[signals.setdefault(title, len(signals))] = cells[at.values]
    table = [
        (line, [stamp, asset, *(row.get(i, "") for i in range(len(signals)))])
        for (asset, stamp), (line, row) in rows.items()
    ]
    return Records([TIMESTAMP, ASSET_ID, *signals], lambda: iter(table), "a long table, a row per signal")
