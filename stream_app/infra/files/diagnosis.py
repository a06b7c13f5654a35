"""What a file is and how it is read, told to its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from schemas.columns import BY_WIRE_NAME
from schemas.diagnosis import ColumnFound, Diagnosis, TimesFound
from schemas.file import FileSpec
from stream_app.infra.files.measurement_file import MeasurementFile
from stream_app.infra.files.tables import Table
from stream_app.infra.files.titles import ASSET_ID

#: Of a file with thousands of columns or assets.
_MOST_TITLES, _MOST_ASSETS = 100, 1000
_FOLLOWING: Final = {"hold": ("--hold", "--no-hold"), "day_first": ("--day-first", "--month-first")}
_NO_CAPACITY: Final = "--nominal-capacity AH"
_OPTIONS: Final = ("timezone", "decimal", "encoding", "start", "profile", "current_sign", "soc_scale", "reporting")


def diagnosis(file: MeasurementFile, spec: FileSpec, name: str, *, whole: bool = True) -> Diagnosis:
    """Findings of a file that has been examined.

    Parameters
    ----------
    spec
        With which it was read.
    name
        Of the file, as the command names it.
    whole
        Whether the file is all of it, and not its beginning.
    """
    findings, table, examination = file.findings, file.table, file.examination
    layout = table.layout
    has_soc = examination.soc_high >= examination.soc_low
    read = {column.index for column in (layout.stamps, layout.dates, layout.assets, *layout.readings) if column}
    return Diagnosis(
        kind=table.kind,
        whole=whole,
        profile=layout.profile,
        columns=list(_columns(file)),
        not_read=[title for i, title in enumerate(layout.titles) if i not in read and title][:_MOST_TITLES],
        stamps=_stamps(table),
        times=list(_times(file)),
        soc_low=examination.soc_low if has_soc else None,
        soc_high=examination.soc_high if has_soc else None,
        assets=file.assets[:_MOST_ASSETS],
        rows=findings.rows,
        left_out=findings.left_out,
        notes=findings.noted(),
        warnings=findings.warnings,
        command=" ".join(_command(file, spec, name)),
    )


def lines(found: Diagnosis) -> Iterator[str]:
    """Findings, one a line; the last one is the command that reads the file."""
    yield f"file: {found.kind}" + ("" if found.whole else ", of which the beginning was looked at")
    for column in found.columns:
        changed = f", x {column.scale:g}" if column.scale != 1.0 else ""
        changed += f", {column.offset:+g}" if column.offset else ""
        unit = "" if column.unit is None else f" [{column.unit}]"
        missing = "" if not column.missing else f", not measured in {_share(column.missing)} of the rows"
        yield f"column {column.title!r} -> {column.name}{unit}{changed}{missing}"
    if found.not_read:
        yield f"not read: {', '.join(map(repr, found.not_read))}"
    if found.soc_low is not None:
        yield f"SoC: {found.soc_low:g} to {found.soc_high:g} %"
    yield f"stamps: {found.stamps}"
    for times in found.times:
        whose = "" if times.asset_id is None or len(found.times) < 2 else f" ({times.asset_id})"
        repeated = f", stamps that repeat the one before: {times.repeats}" if times.repeats else ""
        yield f"time: {times.first} to {times.last}{repeated}{whose}"
        if times.step_longest_s:
            steps = f"median {times.step_median_s:g} s, 95 % up to {times.step_p95_s:g} s"
            yield f"period: {steps}, longest {times.step_longest_s:g} s{whose}"
        yield f"coverage: {times.coverage:.3f} of the time{whose}"
    if found.assets:
        shown = ", ".join(found.assets[:5]) + (", ..." if len(found.assets) > 5 else "")
        yield f"assets: {len(found.assets)} ({shown})"
    yield from (f"note: {text}" for text in found.notes)
    yield from (f"warning: {text}" for text in found.warnings)
    yield f"rows: {found.rows} of {found.rows + found.left_out} count"
    yield "read it with" + (" (AH is the nominal capacity):" if _NO_CAPACITY in found.command else ":")
    yield found.command


def _share(missing: float) -> str:
    return "less than 1 %" if missing < 0.01 else f"{100 * missing:.0f} %"


def _columns(file: MeasurementFile) -> Iterator[ColumnFound]:
    layout, examination = file.table.layout, file.examination
    if layout.stamps is not None:
        title = layout.stamps.title if layout.dates is None else f"{layout.dates.title} + {layout.stamps.title}"
        yield ColumnFound(title=title, name="time", unit=None, scale=1, offset=0, missing=None)
    if layout.assets is not None:
        yield ColumnFound(title=layout.assets.title, name=ASSET_ID, unit=None, scale=1, offset=0, missing=None)
    for column in layout.readings:
        yield ColumnFound(
            title=column.title,
            name=column.name,
            unit=BY_WIRE_NAME[column.name].unit,
            scale=column.scale,
            offset=column.offset,
            missing=1 - examination.filled.get(column.name, 0) / max(examination.rows, 1),
        )


def _stamps(table: Table) -> str:
    clock = table.stamps.clock
    if table.stamps.kind == "counted":
        return f"none: the rows are {table.stamps.unit.scale:g} s apart"
    if clock is not None:
        return f"{table.stamps.kind}, local time of {clock.name}"
    return f"{table.stamps.kind}, in {'UTC, since they name no zone' if table.naive else 'the zone that they name'}"


def _times(file: MeasurementFile) -> Iterator[TimesFound]:
    for name, covered in file.timeline.coverage.items():
        if covered.rows < 2:
            continue
        share = covered.share()  # measures the rows that wait
        first, last = np.array([covered.first_us, covered.last_us]).view("datetime64[us]").astype("datetime64[s]")
        median, most = covered.steps_s(50, 95)
        yield TimesFound(
            asset_id=name or None,
            rows=covered.rows,
            first=f"{first}Z",
            last=f"{last}Z",
            repeats=covered.repeats,
            step_median_s=median,
            step_p95_s=most,
            step_longest_s=covered.longest_s,
            coverage=share,
        )


def _command(file: MeasurementFile, spec: FileSpec, name: str) -> Iterator[str]:
    """The command that reads the file, with the cures of what is suspicious."""
    yield "stream-app compute"
    yield _quoted(name)
    yield f"--nominal-capacity {spec.nominal_capacity_ah:g}" if spec.nominal_capacity_ah else _NO_CAPACITY
    cures = file.examination.cures(spec)
    for field in _OPTIONS:
        value = cures.get(field, getattr(spec, field))
        if value is not None and (field in spec.model_fields_set or field in cures):
            yield f"--{field.replace('_', '-')} {_quoted(str(value))}"
    for field, (yes, no) in _FOLLOWING.items():
        if getattr(spec, field) is not None:
            yield yes if getattr(spec, field) else no
    for cell in spec.no_value:
        yield f"--no-value={_quoted(cell)}"
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
