"""Titles of columns as files have them: which of our columns one names, and in which unit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.columns import BY_WIRE_NAME
from stream_app.infra.files.units import TIME_UNITS, UNCHANGED, Conversion, conversion

TIMESTAMP: Final = "timestamp"
ASSET_ID: Final = "asset_id"
ELAPSED: Final = "elapsed"
DATE: Final = "date"

#: Words of other languages: French, Spanish, Italian, Dutch, Chinese, Japanese.
_FOREIGN: Final = {
    TIMESTAMP: "horodatage dateheure fechayhora fechahora dataora marcatemporale tijd tijdstip heure hora ora "
    "时间 系统时间 绝对时间 日時 時刻",
    DATE: "fecha data 日期 日付",
    "current": "courant corriente corrente stroom 电流 電流",
    "voltage": "tension voltaje tensione spanning 电压 電圧",
    "soc": "etatdecharge estadodecarga statodicarica laadtoestand 荷电状态 充電率",
    "power": "puissance potencia potenza vermogen 功率 電力",
    "temperature": "temperatura temperatuur 温度",
}
#: Words of each column beside its own name, the readings' as :class:`schemas.columns.Column` has them.
_TITLES: Final = {
    TIMESTAMP: "datetime dateandtime dateandtimeutc timestamputc datetimeutc absolutetime realtime unixtime "
    "unixtimestamp epoch epochtime createdat recordedat measuredat lastchanged lastupdated lastchangedat readingtime "
    "recordtime systemtime samplingtime eventtime logtime localtime utctime timeutc dpttime zeitstempel datumzeit "
    f"datumuhrzeit {_FOREIGN[TIMESTAMP]} time zeit uhrzeit ts t",
    DATE: f"datum day {_FOREIGN[DATE]}",
    ELAPSED: "elapsedtime elapsedseconds testtime totaltime runtime relativetime reltime timeelapsed",
    ASSET_ID: "asset assetname batteryid deviceid vin cellid string serialnumber packid",
    **{name: f"{column.titles} {_FOREIGN.get(name, '')}" for name, column in BY_WIRE_NAME.items()},
}
#: Words that say where a reading of the whole battery was taken, and change nothing.
_DECORATIONS: Final = frozenset(
    [
        "battery",
        "batt",
        "bat",
        "batterie",
        "akku",
        "pack",
        "packs",
        "dc",
        "hv",
        "bms",
        "bms1",
        "bess",
        "ess",
        "total",
        "measured",
        "actual",
        "act",
        "main",
        "sensor",
        "value",
    ]
)
_PLAIN: Final = re.compile(r"[^a-z0-9äöüß\u3040-\u30ff\u4e00-\u9fff]")
_WITHOUT_ACCENTS: Final = str.maketrans("áàâãéèêëíìîïóòôõúùûçñ", "aaaaeeeeiiiioooouuucn")
_WORD: Final = re.compile(r"[A-Z]+(?![a-zäöü])|[A-ZÄÖÜ]?[a-zäöü]+|\d+")
_WITH_UNIT: Final = (
    re.compile(r"(.+?)[\s_]*\[([^\]]*)\]"),
    re.compile(r"(.+?)[\s_]*\(([^)]*)\)"),
    re.compile(r"(.+?)\s*/\s*([^/]+)"),
    re.compile(r"(.+?)(?:,\s*|\s+in\s+)([^\s,]+)"),
)
_SUFFIX: Final = re.compile(r"(.+)[_ .-]([^_ .-]+)")
_MAX_NEAR: Final = 3


class Found(NamedTuple):
    """What a title names.

    Parameters
    ----------
    name
        Our column.
    rank
        How exactly it is named: 0 is our own name.
    unit
        As the title has it, None when it has none.
    conversion
        To our unit; None when the unit is not known.
    """

    name: str
    rank: int
    unit: str | None
    conversion: Conversion | None


def plain(title: str) -> str:
    """A title's letters and digits, lower case."""
    return _PLAIN.sub("", title.casefold().translate(_WITHOUT_ACCENTS))


_NAMES: Final = {
    title: (name, min(rank, 1) if name not in (TIMESTAMP, ELAPSED) else rank)
    for name, titles in _TITLES.items()
    for rank, title in enumerate((plain(name), *titles.split()))
}
#: Titles that another column may mean without its decorations.
_LETTERS: Final = frozenset(title for title in _NAMES if len(title) == 1)


def recognise(title: str) -> Found | None:
    """Our column that a title names, with the unit at its end; None when it names none."""
    title = title.strip().strip('"')
    if named := _named(title):
        return Found(*named, None, UNCHANGED)
    for pattern in (*_WITH_UNIT, _SUFFIX):
        match = pattern.fullmatch(title)
        if match is None or (named := _named(match[1])) is None:
            continue
        found = Found(*named, match[2].strip(), convert(named[0], match[2]))
        # What follows a mere blank or line may be any word.
        if found.conversion is not None or pattern is not _SUFFIX or (named[0] in BY_WIRE_NAME and _odd_unit(match[2])):
            return found if named[0] in BY_WIRE_NAME or found.conversion is not None else None
    return None


def convert(name: str, unit: str) -> Conversion | None:
    """How a unit of a column is converted; None when it is not known."""
    if name == ASSET_ID:
        return None
    if name in BY_WIRE_NAME:
        return conversion(name, unit) if unit.strip() else UNCHANGED
    if unit.strip().casefold() in ("", "utc", "gmt", "iso", "iso8601", "local"):
        return UNCHANGED
    return TIME_UNITS.get(unit.strip(" .").casefold())


def _odd_unit(unit: str) -> bool:
    """Whether the end of a title is a unit that may be two: mW or MW."""
    return unit.casefold() == "mw"


def _named(title: str) -> tuple[str, int] | None:
    """Our column that a title without its unit names, and how exactly."""
    title = title.strip().strip("<>")
    known = _NAMES.get(title) or _NAMES.get(plain(title))
    if known is not None:
        return known
    words = [word.casefold() for word in _WORD.findall(title)]
    rest = [word for word in words if word not in _DECORATIONS]
    core = "".join(rest)
    if not rest or len(rest) == len(words) or core in _LETTERS:
        return None
    found = _NAMES.get(core)
    return (found[0], 2) if found is not None and found[0] in BY_WIRE_NAME else None


def near(name: str, titles: Sequence[str]) -> list[str]:
    """Titles that may mean one of our columns, the nearest first."""
    words = (plain(name), *(word for word in _TITLES[name].split() if len(word) > 2))
    others = [title for title in titles if (found := recognise(title)) is None or found.name == name]
    shares = {title: max(_likeness(plain(title), word) for word in words) for title in others if title.strip()}
    return sorted((title for title, share in shares.items() if share >= 0.6), key=lambda title: -shares[title])[
        :_MAX_NEAR
    ]


def _likeness(title: str, word: str) -> float:
    return 0.9 if word in title else difflib.SequenceMatcher(None, title, word).ratio()
