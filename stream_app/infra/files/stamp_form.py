"""How a file's stamps are written: decided once, from its first rows and what the user says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from schemas.file import FileSpec
from stream_app.infra.files.dates import clock_us, date_us, is_number, is_zoned
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.header import HEADER_ROW
from stream_app.infra.files.layout import FileColumn, Layout
from stream_app.infra.files.numbers import NO_VALUE
from stream_app.infra.files.stamps import Stamps, first_day_of, is_elapsed
from stream_app.infra.files.units import TIME_UNITS, Conversion
from stream_app.infra.files.untimed import counted, start_of
from stream_app.infra.files.zones import LocalClock
from stream_app.usecases.errors import InvalidError
from stream_app.wire.decode.timestamps import UNREAD

_ORDERED: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)\b")
_TIME_TITLE_UNIT: Final = re.compile(r"[\[(/_ ]\s*([A-Za-zµμ]+)[\])]?\s*$")
_DAY_AND_CLOCK: Final = re.compile(r"^\S+(?:T|[ ,]+(?=\d{1,2}:))")
_COMMAED: Final = re.compile(r"[+-]?\d+,\d+")
_DAY_PART: Final = re.compile(r"0?[.]\d+|0")
_QUOTED: Final = frozenset("='")
_MOST: Final = 0.9
#: Seconds from 1904, when LabVIEW begins, to 1970; and counts that lie in the years 2000 to 2040 if they are such.
_FROM_1904_S: Final = 2_082_844_800
_SINCE_1904_S: Final = (946_684_800 + _FROM_1904_S, 2_208_988_800 + _FROM_1904_S)


def settled(layout: Layout, rows: Sequence[Sequence[str]]) -> Layout:
    """The layout, whose column of dates is that of the times when it holds them too: the other is of the step then."""
    if layout.dates is None:
        return layout
    at = layout.dates.index
    clocks = {clock_us(_DAY_AND_CLOCK.sub("", row[at].strip())) for row in rows if at < len(row)}
    times = clocks - {None, 0}
    return replace(layout, stamps=layout.dates, dates=None) if len(times) > 1 else layout


def stamps_of(layout: Layout, rows: Sequence[Sequence[str]]) -> list[str]:
    """Stamps of rows, a date and its time joined; empty where a row is too short."""
    if layout.stamps is None:
        return [""] * len(rows)
    at = layout.stamps.index
    if layout.dates is None:
        texts = [row[at].strip() if at < len(row) else "" for row in rows]
        return [_unquoted(text) if text[:1] in _QUOTED else _pointed(text) for text in texts]
    day = layout.dates.index
    return [joined(row[day].strip(), row[at].strip()) if max(at, day) < len(row) else "" for row in rows]


def _pointed(text: str) -> str:
    return text.replace(",", ".") if "," in text and _COMMAED.fullmatch(text) else text


def _unquoted(text: str) -> str:
    """A stamp that a spreadsheet is told to take as text."""
    return text.strip("=\"'")


def joined(date: str, time: str) -> str:
    """A date and the time of its day, each perhaps with a part of the other that a spreadsheet has added."""
    if not date:
        return time
    time = _pointed(time)
    if _DAY_PART.fullmatch(time):  # of a spreadsheet, which counts days
        ms = round(float(time) * 86_400_000)
        time = f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
    if clock_us(time) is None and " " in time:
        time = time.rpartition(" ")[2] if time[-1:] not in "mM" else time
    head, _, clock = date.partition("T" if "T" in date else " ")
    return f"{head if clock and clock_us(clock) is not None else date} {time}".strip()


def decide(layout: Layout, rows: Sequence[Sequence[str]], spec: FileSpec, findings: Findings) -> Stamps:
    """How the stamps of a file are read.

    Raises
    ------
    InvalidError
        Elapsed time without a start, dates in both orders, stamps of which only some name their zone, or no time at all
        where a column may hold it.
    """
    if layout.stamps is None:
        return counted(layout, rows, spec, findings)
    column = layout.stamps
    texts = [text for text in stamps_of(layout, rows) if text.casefold() not in NO_VALUE]
    numbers = [float(text) for text in texts if is_number(text)]
    compact = bool(texts) and all(len(text) in (8, 12, 14) and date_us(text, False) != UNREAD for text in texts[:100])
    if numbers and len(numbers) >= _MOST * len(texts) and not compact:
        first_day = first_day_of(numbers)
        united = layout.elapsed or _unit_of(column) is not None
        if first_day is not None and not united:
            findings.note(f"column {column.title!r} holds day numbers of a spreadsheet")
            return Stamps("days", first_day=first_day, clock=None)
        if all(_SINCE_1904_S[0] <= number < _SINCE_1904_S[1] for number in numbers):
            findings.note(f"column {column.title!r} counts seconds from 1904, as LabVIEW does")
            return Stamps("elapsed", unit=Conversion(1.0, 0.0), start_us=-_FROM_1904_S * 1_000_000)
        if is_elapsed(numbers):
            return _elapsed(column, spec, texts[0])
        return Stamps()
    if texts and sum(1 for text in texts if clock_us(text) is not None) >= _MOST * len(texts):
        return _elapsed(column, spec, texts[0])
    if _year_first(texts):
        findings.note(f"dates such as {texts[0]} are read year first")
        texts = [f"20{text}" for text in texts]
        return Stamps(year_first=True, clock=_clock(texts, False, spec, findings))
    day_first = _day_first(texts, layout, spec, findings)
    return Stamps(day_first=day_first, clock=_clock(texts, day_first, spec, findings))


def _unit_of(column: FileColumn) -> Conversion | None:
    match = _TIME_TITLE_UNIT.search(column.title)
    return TIME_UNITS.get(match[1].casefold()) if match else None


def _elapsed(column: FileColumn, spec: FileSpec, example: str) -> Stamps:
    title = column.title
    if spec.start is None:
        detail = f"column {title!r} holds elapsed time, or a time without its date ({example[:40]}): say when it was 0"
        raise InvalidError(
            "bad_timestamp", f"{detail} (--start 2024-05-07T09:00:00Z), or add a column of dates", HEADER_ROW, title
        )
    start_us = start_of(spec.start, spec, title)
    return Stamps("elapsed", unit=_unit_of(column) or Conversion(column.scale, 0.0), start_us=start_us)


def _day_first(texts: Sequence[str], layout: Layout, spec: FileSpec, findings: Findings) -> bool:
    matches = [match for text in texts if (match := _ORDERED.match(text))]
    if spec.day_first is not None or not matches:
        return bool(spec.day_first)
    first, second = max(int(match[1]) for match in matches), max(int(match[3]) for match in matches)
    if first > 12 and second > 12:
        detail = f"dates such as {matches[0][0]} have the day first in some rows and second in others"
        raise InvalidError(
            "bad_timestamp", f"{detail}: write all of them in the same order, or as ISO 8601", HEADER_ROW
        )
    if first > 12 or second > 12:
        if len(matches[0][4]) == 2 and matches[0][2] != ".":
            order = "day, month, year" if first > 12 else "month, day, year"
            findings.note(f"dates such as {matches[0][0]} are read as {order}")
        return first > 12
    # Who writes a decimal comma writes the day first.
    day_first = matches[0][2] != "/" or layout.numbers.mark == "," or _nearer_day_first(texts)
    if matches[0][2] == ".":
        return True
    said = "day first" if day_first else "month first"
    other = "--month-first" if day_first else "--day-first"
    findings.note(f"dates such as {matches[0][0]} are read {said}: say {other} if they are not")
    return day_first


def _year_first(texts: Sequence[str]) -> bool:
    """Whether dates with a year of two digits begin with it: their last part is the day then, which changes."""
    matches = [_ORDERED.match(text) for text in texts]
    if not matches or not all(match is not None and len(match[4]) == 2 and match[2] != "." for match in matches):
        return False
    first, last = ({int(match[i]) for match in matches if match is not None} for i in (1, 4))
    return (len(first) == 1 and len(last) > 1 and max(last) <= 31) or (min(first) > 12 and max(last) <= 31 < min(first))


def _nearer_day_first(texts: Sequence[str]) -> bool:
    """Whether the rows lie much nearer to each other when the day comes first."""
    spans = []
    for day_first in (False, True):
        times = [time_us for text in texts if (time_us := date_us(text, day_first)) != UNREAD]
        spans.append(max(times) - min(times) if times else 0)
    return 0 < spans[1] < spans[0] / 2


def _clock(texts: Sequence[str], day_first: bool, spec: FileSpec, findings: Findings) -> LocalClock | None:
    texts = [text for text in texts if date_us(text, day_first) != UNREAD]
    zoned = sum(map(is_zoned, texts))
    if spec.timezone is None or not texts:
        if 0 < zoned < len(texts):
            findings.warn("some stamps name their zone and others do not: those are taken as UTC")
        return None
    if 0 < zoned < len(texts):
        detail = "some stamps name their zone and others do not: write all of them in the same way"
        raise InvalidError("bad_timestamp", detail, HEADER_ROW)
    if zoned == len(texts):
        findings.note(f"the stamps name their zone: --timezone {spec.timezone} plays no part")
        return None
    times = [time_us for text in (texts[0], texts[-1]) if (time_us := date_us(text, day_first)) != UNREAD]
    return LocalClock(spec.timezone, descending=len(times) > 1 and times[0] > times[-1])
