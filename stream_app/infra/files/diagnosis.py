"""What a file is and how it is read, told to its owner line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from schemas.columns import BY_WIRE_NAME
from schemas.file import FileSpec
from stream_app.infra.files.coverage import Coverage
from stream_app.infra.files.measurement_file import MeasurementFile

_FOLLOWING: Final = {"hold": ("--hold", "--no-hold"), "day_first": ("--day-first", "--month-first")}
_OPTIONS: Final = ("timezone", "decimal", "encoding", "start", "current_sign", "soc_scale", "reporting")


def diagnosis(file: MeasurementFile, spec: FileSpec, name: str) -> list[str]:
    """Findings of a file that has been examined, one a line; the last one is the command that reads it.

    Parameters
    ----------
    spec
        With which it was read.
    name
        Of the file, as the command names it.
    """
    findings, table = file.findings, file.table
    lines = [f"file: {table.kind}", *_columns(file), *_stamps(file)]
    if file.assets:
        shown = ", ".join(file.assets[:5]) + (", ..." if len(file.assets) > 5 else "")
        lines.append(f"assets: {len(file.assets)} ({shown})")
    lines += findings.told()
    total = findings.rows + findings.left_out
    lines.append(f"rows: {findings.rows} of {total} count")
    return [*lines, " ".join(_command(file, spec, name))]


def _columns(file: MeasurementFile) -> Iterator[str]:
    layout, examination = file.table.layout, file.examination
    stamps = layout.stamps.title if layout.dates is None else f"{layout.dates.title} + {layout.stamps.title}"
    yield f"column {stamps!r} -> time"
    for column in layout.readings:
        share = 1 - examination.filled.get(column.name, 0) / max(examination.rows, 1)
        changed = "" if (column.scale, column.offset) == (1.0, 0.0) else f", x {column.scale:g} + {column.offset:g}"
        unit = BY_WIRE_NAME[column.name].unit
        yield f"column {column.title!r} -> {column.name} [{unit}]{changed}, {share:.0%} not measured"
    read = {layout.stamps.index, *(column.index for column in layout.readings)}
    read |= {column.index for column in (layout.dates, layout.assets) if column is not None}
    if unread := [title for i, title in enumerate(layout.titles) if i not in read and title]:
        yield f"not read: {', '.join(map(repr, unread[:20]))}"
    if examination.soc_high >= examination.soc_low:
        yield f"SoC: {examination.soc_low:g} to {examination.soc_high:g} %"


def _stamps(file: MeasurementFile) -> Iterator[str]:
    zone = "UTC, since they name no zone" if file.table.naive else "the zone that they or the options name"
    yield f"stamps: {file.table.stamps.kind}, in {zone}"
    for name, covered in _covered(file):
        share, whose = covered.share(), _of(name, file)  # measures the rows that wait
        first, last = np.array([covered.first_us, covered.last_us]).view("datetime64[us]").astype("datetime64[s]")
        yield f"time: {first}Z to {last}Z, {covered.repeats} stamps repeat the one before{whose}"
        median, most = covered.steps_s(50, 95)
        if covered.longest_s:
            yield f"period: median {median:g} s, 95 % up to {most:g} s, longest {covered.longest_s:g} s{whose}"
        yield f"coverage: {share:.3f} of the time{whose}"


def _covered(file: MeasurementFile) -> Iterator[tuple[str, Coverage]]:
    return ((name, each) for name, each in file.timeline.coverage.items() if each.rows > 1)


def _of(name: str, file: MeasurementFile) -> str:
    """Whose rows a line is about, in a file of several assets."""
    return f" ({name})" if len(file.assets) > 1 else ""


def _command(file: MeasurementFile, spec: FileSpec, name: str) -> Iterator[str]:
    """The command that reads the file, with the cures of what is suspicious."""
    yield "stream-app compute"
    yield _quoted(name)
    yield f"--nominal-capacity {spec.nominal_capacity_ah:g}" if spec.nominal_capacity_ah else "--nominal-capacity AH"
    cures = file.examination.cures(spec)
    for field in _OPTIONS:
        value = cures.get(field, getattr(spec, field))
        if value is not None and (field in spec.model_fields_set or field in cures):
            yield f"--{field.replace('_', '-')} {_quoted(str(value))}"
    for field, (yes, no) in _FOLLOWING.items():
        if getattr(spec, field) is not None:
            yield yes if getattr(spec, field) else no
    for ours, title in spec.columns.items():
        yield f"--map {_quoted(f'{ours}={title}')}"
    if spec.max_gap_s is not None:
        yield f"--max-gap {spec.max_gap_s:g}"
    if spec.sampling_period_s is not None:
        yield f"--period {spec.sampling_period_s:g}"
    if spec.allow_rejected or file.findings.too_many:
        yield "--allow-rejected"


def _quoted(text: str) -> str:
    return text if text.replace("-", "").replace("_", "").replace("/", "").replace(".", "").isalnum() else f"'{text}'"
