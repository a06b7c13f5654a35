"""The header of a table: which column holds which reading, and in which unit, found once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from schemas.columns import BY_WIRE_NAME, REQUIRED
from schemas.file import FileSpec
from stream_app.infra.files.findings import Findings
from stream_app.infra.files.layout import SIGNED, FileColumn, Layout
from stream_app.infra.files.profiles import NO_PROFILE, Profile, profile_of
from stream_app.infra.files.titles import ASSET_ID, DATE, ELAPSED, TIMESTAMP, Found, convert, near, plain, recognise
from stream_app.infra.files.units import TIME_UNITS, UNCHANGED, Conversion, known_units
from stream_app.usecases.errors import InvalidError

MAX_COLUMNS: Final = 500
HEADER_ROW: Final = 0  # as the row of an error
EXPECTED: Final = ",".join((TIMESTAMP, *REQUIRED))
_DATA: Final = re.compile(r"\s*[+-]?\d[\d.,:/ TZ+-]*\s*")
_NUMBERED: Final = re.compile(r"#(\d{1,3})")
_CLOCK_TITLES: Final = frozenset(
    ("time", "zeit", "uhrzeit", "timeofday", "clock", "hour", "t", "heure", "hora", "ora", "tijd", "时间", "時刻")
)


def fits(titles: Sequence[str], wanted: Mapping[str, str], *, untimed: bool = False) -> int:
    """How many of our columns titles name; 0 unless a time and a reading are among them.

    With ``untimed``, 0 unless energy can be computed, whether or not there is a time.
    """
    given = {title.strip() for title in wanted.values()}
    names = {found.name for title in titles if (found := recognise(title)) is not None}
    names |= {name for name, title in wanted.items() if title.strip() in set(map(str.strip, titles)) & given}
    if untimed:
        return len(names) if has_energy(names) else 0
    timed = names & {TIMESTAMP, ELAPSED, DATE}
    if timed and names & BY_WIRE_NAME.keys():
        return len(names)
    profile = profile_of(titles)
    return 1 if profile is not None and profile.columns else 0


def read_header(
    titles: Sequence[str], place: str, spec: FileSpec, findings: Findings, units: Sequence[str] = ()
) -> Layout:
    """Find our columns among a table's titles.

    Parameters
    ----------
    place
        Where the titles are, for errors.
    spec
        Titles and profile that the user gives.
    units
        Cells of the line of units, if there is one.

    Raises
    ------
    InvalidError
        When there is no header, a column is missing or appears twice, or a unit is not known.
    """
    if len(titles) > MAX_COLUMNS:
        detail = f"{place}: {len(titles)} columns; at most {MAX_COLUMNS} are read: leave out those that are not needed"
        raise InvalidError("bad_csv", detail, HEADER_ROW)
    titles = [title.strip() for title in titles]
    profile = profile_of(titles, spec.profile)
    wanted = spec.columns if profile is None else profile.wanted(titles) | spec.columns
    columns = {name: _wanted(name, title, titles, place) for name, title in wanted.items() if title.strip()}
    found: dict[str, list[tuple[Found, int]]] = {}
    for index, title in enumerate(titles):
        named = recognise(title)
        if named is None or named.name in wanted:
            continue
        if named.conversion is None:
            if named.name not in REQUIRED:
                findings.warn(f"column {title!r} is not read: {_which_unit(named.name, title)}")
            continue
        unit = units[index].strip(" []()") if index < len(units) else ""
        if unit and named.unit is None and named.name in BY_WIRE_NAME:
            named = named._replace(conversion=convert(named.name, unit), unit=unit)
            if named.conversion is None:
                findings.warn(f"column {title!r} is not read: {_which_unit(named.name, unit)}")
                continue
        found.setdefault(named.name, []).append((named, index))
    for name, candidates in found.items():
        columns[name] = column = _chosen(name, candidates, titles, place)
        for _, index in candidates if name in BY_WIRE_NAME else ():
            if index != column.index:
                findings.note(f"column {titles[index]!r} is not read: {column.title!r} is taken for {name}")
    layout = _layout(columns, titles, place, wanted, findings)
    return layout if profile is None else _profiled(layout, profile, place, spec, findings)


def _profiled(layout: Layout, profile: Profile, place: str, spec: FileSpec, findings: Findings) -> Layout:
    """The layout with what the profile knows; what the user says stands above."""
    titles = layout.titles
    findings.note(f"the titles are those of {profile.name} (--profile {NO_PROFILE} takes them as any)")
    if profile.remark:
        findings.note(f"{profile.name}: {profile.remark}")
    flipped = profile.discharge_positive and "current_sign" not in spec.model_fields_set
    readings = layout.readings
    if flipped and {column.name for column in readings} & SIGNED:
        findings.note(f"current and power of {profile.name} are above 0 when it discharges: they are read otherwise")
        readings = tuple(
            replace(column, scale=-column.scale, offset=-column.offset) if column.name in SIGNED else column
            for column in readings
        )
    outflows = [
        _wanted(name, f"#{at + 1}", titles, place)
        for name, title in profile.outflows.items()
        if (at := profile.place(title.split(), titles)) is not None and name in {each.name for each in readings}
    ]
    for column in outflows:
        findings.note(f"column {column.title!r} is what leaves the battery: it counts against {column.name}")
    at = profile.place(profile.state, titles) if "current_sign" not in spec.model_fields_set else None
    state = None if at is None else FileColumn("state", titles[at], at, 1.0, 0.0)
    return replace(
        layout,
        profile=profile.name,
        flipped=flipped,
        readings=readings,
        outflows=tuple(outflows),
        state=state,
        discharging=profile.discharging,
    )


def _layout(
    columns: dict[str, FileColumn], titles: Sequence[str], place: str, wanted: Mapping[str, str], findings: Findings
) -> Layout:
    stamps, dates = columns.get(TIMESTAMP), columns.get(DATE)
    if stamps is not None and dates is not None and plain(stamps.title) not in _CLOCK_TITLES:
        dates = None
    elapsed = stamps is None and dates is None and ELAPSED in columns
    stamps, dates = (stamps, dates) if stamps is not None else (dates or columns.get(ELAPSED), None)
    readings = tuple(columns[name] for name in BY_WIRE_NAME if name in columns)
    timed = stamps is not None or not _may_do_without_time(columns, titles, wanted)
    missing = [*((TIMESTAMP,) if timed and stamps is None else ()), *_missing(columns, titles, wanted)]
    if (not readings and stamps is None) and any(_DATA.fullmatch(title) for title in titles):
        detail = f"{place} holds data, not titles: the first line must be a header such as {EXPECTED}"
        raise InvalidError("no_header", detail, HEADER_ROW)
    if not readings or missing:
        missing = missing or list(REQUIRED)
        detail = f"{place}: the header has no column {' and no column '.join(missing)}"
        raise InvalidError("missing_column", f"{detail}; {_why_missing(missing, titles)}", HEADER_ROW, missing[0])
    if not columns.keys() & {"power", "current"}:
        findings.warn("the file has no current and no power: energies and charges cannot be computed")
    return Layout(tuple(titles), stamps, dates, columns.get(ASSET_ID), readings, elapsed=elapsed)


def has_energy(names: Collection[str]) -> bool:
    """Whether energy can be computed from the columns of these names."""
    return "power" in names or {"current", "voltage"} <= set(names)


def _may_do_without_time(columns: Mapping[str, FileColumn], titles: Sequence[str], wanted: Mapping[str, str]) -> bool:
    """Whether rows without a time can be read: energy can be computed, and no title may be that of a time."""
    read = {column.index for column in columns.values()}
    unread = [title for i, title in enumerate(titles) if i not in read]
    none = TIMESTAMP in wanted and not wanted[TIMESTAMP].strip()
    return has_energy(columns) and (none or not any(near(name, unread) for name in (TIMESTAMP, DATE, ELAPSED)))


def _missing(columns: Mapping[str, FileColumn], titles: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """Readings that energy needs, which may be in the file under a title that is not known."""
    if has_energy(columns):
        return []
    unread = [title for i, title in enumerate(titles) if i not in {column.index for column in columns.values()}]
    needed = [name for name in ("current", "voltage") if name not in columns and name not in wanted]
    missing = [name for name in needed if near(name, unread)]
    of_no_unit = any((found := recognise(title)) is not None and found.name == "power" for title in unread)
    return missing or (["power"] if of_no_unit and "power" not in wanted else [])


def _wanted(name: str, title: str, titles: Sequence[str], place: str) -> FileColumn:
    """The column that the user gives: by title, by title and unit (``title:mW``), or by number."""
    if name not in (TIMESTAMP, ELAPSED, DATE, ASSET_ID, *BY_WIRE_NAME):
        detail = f"{name!r} is not one of our columns: {', '.join((TIMESTAMP, ASSET_ID, *BY_WIRE_NAME))}"
        raise InvalidError("bad_header", detail, HEADER_ROW, name)
    title, unit = title.strip(), None
    if title not in titles and title.rpartition(":")[0]:
        title, _, unit = title.rpartition(":")
    if match := _NUMBERED.fullmatch(title):
        index = int(match[1]) - 1
    else:
        index = titles.index(title) if title in titles else -1
        if titles.count(title) > 1:
            raise InvalidError("bad_header", f"{place}: {_same_title(name, title, titles)}", HEADER_ROW, name)
    if not 0 <= index < len(titles):
        offered = near(name, titles) or [each for each in titles if each][:10]
        detail = f"{place}: there is no column {title!r}; there are {', '.join(map(repr, offered))}"
        raise InvalidError("missing_column", detail, HEADER_ROW, name)
    change: Conversion | None = UNCHANGED
    if unit is not None:
        change = convert(name, unit)
    else:
        bracket = re.search(r"[\[(/]\s*([^\])/]+)[\])]?\s*$", titles[index])
        found = recognise(titles[index])
        if found is not None and found.name == name:
            change = found.conversion
        elif bracket is not None:
            change = convert(name, bracket[1])
    if change is None:
        raise InvalidError("bad_header", f"{place}: {_which_unit(name, titles[index])}", HEADER_ROW, name)
    return FileColumn(name, titles[index], index, *change)


def _chosen(name: str, candidates: Sequence[tuple[Found, int]], titles: Sequence[str], place: str) -> FileColumn:
    """The column that names ours most exactly."""
    best = min(found.rank for found, _ in candidates)
    exact = [(found, index) for found, index in candidates if found.rank == best]
    (found, index), *others = exact
    if others and name in (TIMESTAMP, DATE, ELAPSED) and titles[others[0][1]] != titles[index]:
        others = []  # the same time in another form: the first one is read
    if others:
        one, two = titles[index], titles[others[0][1]]
        if one == two:
            detail = _same_title(name, one, titles)
        else:
            detail = f"{one!r} and {two!r} both mean {name}: say which one to read (--map {name}={one!r}), or rename"
            detail = f"{detail} the one to read to {name!r}"
        raise InvalidError("bad_header", f"{place}: {detail}", HEADER_ROW, name)
    return FileColumn(name, titles[index], index, *(found.conversion or UNCHANGED))


def _same_title(name: str, title: str, titles: Sequence[str]) -> str:
    places = [str(i + 1) for i, each in enumerate(titles) if each == title]
    return (
        f"columns {' and '.join(places)} are both titled {title!r}: remove or rename the other one, or say which one "
        f"to read by its number (--map {name}=#{places[0]})"
    )


def _which_unit(name: str, title: str) -> str:
    if name not in BY_WIRE_NAME:
        return f"the unit of {title!r} is not known: write one of {', '.join(TIME_UNITS)}"
    either = "mW or MW? The" if "mw" in title.casefold() else "the"
    return f"{either} unit of {title!r} is not known: write one of {', '.join(known_units(name))}"


def _why_missing(missing: Sequence[str], titles: Sequence[str]) -> str:
    for title in titles:
        named = recognise(title)
        if named is not None and named.name in missing and named.conversion is None:
            return _which_unit(named.name, title)
    if len(titles) == 1 and fits(titles[0].split(), {}):
        return "the columns are separated by blanks: separate them by comma, semicolon, tab or |"
    nearest = {name: offered for name in missing if (offered := near(name, titles))}
    if nearest:
        shown = ", ".join(
            repr(title[:40]) for title in dict.fromkeys(t for offered in nearest.values() for t in offered)
        )
        options = " ".join(f"--map {name}={offered[0][:40]!r}" for name, offered in nearest.items())
        none = next((f"; --map {name}= says that there is none" for name in nearest), "")
        return f"the nearest titles are {shown}: say {options}{none}"
    found = ", ".join(repr(title[:40]) for title in titles[:20])
    separated = "; columns are separated by comma, semicolon, tab or |" if len(titles) == 1 else ""
    return f"found: {found}{separated}; expected: {EXPECTED}"
