"""Victron's portal writes a header of three lines: devices, readings beside the zone of the stamps, and units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_DEVICE: Final = re.compile(r"(.+?) \[\d+\]")
_ZONE: Final = re.compile(r"([A-Z]\w+(?:/[\w+-]+)*)\b")
#: Lines of the header.
LINES: Final = 3


class MergedHeader(NamedTuple):
    """Titles with devices and units, and the zone of the stamps."""

    titles: list[str]
    timezone: str | None


def merged_header(rows: Sequence[Sequence[str]]) -> MergedHeader | None:
    """Merge the first lines of a file; None when they are not such a header."""
    if len(rows) < LINES or not rows[0] or rows[0][0].strip().casefold() != "timestamp":
        return None
    devices = [_DEVICE.fullmatch(cell.strip()) for cell in rows[0][1:]]
    if not devices or not all(devices) or len(rows[1]) < len(rows[0]):
        return None
    zone = _ZONE.match(rows[1][0].strip())
    units = [cell.strip() for cell in rows[2][1:]] + [""] * len(devices)
    titles = [
        f"{device[1]} {name.strip()}" + (f" [{unit}]" if unit else "")
        for device, name, unit in zip(devices, rows[1][1:], units, strict=False)
        if device is not None
    ]
    return MergedHeader(["timestamp", *titles], zone[1] if zone and _is_zone(zone[1]) else None)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
