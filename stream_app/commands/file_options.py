"""Options of commands that read files, and the spec that they make."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, cast

import typer

from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from schemas.file import FileSpec

STDIN: Final = "-"
_IN_MEMORY: Final = 64 << 20
#: Options by field of the spec, where they differ by more than the dashes.
_NAMES: Final = {
    "nominal_capacity_ah": "--nominal-capacity",
    "windows": "--window",
    "max_gap_s": "--max-gap",
    "sampling_period_s": "--period",
    "columns": "--map",
}


class CurrentSign(StrEnum):
    """What a current above 0 does."""

    CHARGE_POSITIVE = "charge_positive"
    DISCHARGE_POSITIVE = "discharge_positive"


class SocScale(StrEnum):
    """The SoC of a full battery: 100 or 1."""

    PERCENT = "percent"
    FRACTION = "fraction"


class Reporting(StrEnum):
    """When rows are written."""

    PERIODIC = "periodic"
    ON_CHANGE = "on_change"


class Decimal(StrEnum):
    """Decimal mark."""

    POINT = "point"
    COMMA = "comma"


Spec = Annotated[Path | None, typer.Option("--spec", metavar="FILE", help="Spec of the file and its assets, JSON")]
Capacity = Annotated[float | None, typer.Option("--nominal-capacity", metavar="AH", help="Nominal capacity [Ah]")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OURS=TITLE", help="Read a column by its title or number (#3); repeatable"),
]
Timezone = Annotated[str | None, typer.Option("--timezone", help="Zone of stamps that name none [UTC]")]
DayFirst = Annotated[bool | None, typer.Option("--day-first/--month-first", help="Of 05/07/2024 [by the file]")]
DecimalMark = Annotated[Decimal | None, typer.Option("--decimal", help="Decimal mark [by the file]")]
NoValue = Annotated[
    list[str] | None, typer.Option("--no-value", metavar="CELL", help="Stands for a missing reading; repeatable")
]
Encoding = Annotated[str | None, typer.Option("--encoding", help="Encoding of the text [by the file]")]
Profile = Annotated[str | None, typer.Option("--profile", help="Device or program that wrote the file [by its titles]")]
Start = Annotated[str | None, typer.Option("--start", metavar="TIME", help="When elapsed time was 0")]
Hold = Annotated[bool | None, typer.Option("--hold/--no-hold", help="A reading holds until the next [by the file]")]
Sign = Annotated[CurrentSign | None, typer.Option("--current-sign", help="What a current above 0 does")]
Scale = Annotated[SocScale | None, typer.Option("--soc-scale", help="SoC of a full battery: 100 or 1")]
MaxGap = Annotated[float | None, typer.Option("--max-gap", metavar="S", help="A longer step is a gap [s]")]
Period = Annotated[float | None, typer.Option("--period", metavar="S", help="Time between two rows [s]")]
ReportingMode = Annotated[Reporting | None, typer.Option("--reporting", help="When rows are written")]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse the file at its first bad row")]
AllowRejected = Annotated[
    bool | None, typer.Option("--allow-rejected", help="Accept that more than 1 % of the rows is left out")
]


def file_spec(path: Path | None, mapped: Sequence[str] | None, **given: Any) -> FileSpec:
    """The spec of a file, with options above it; options that are None say nothing.

    Raises
    ------
    ExpectedError
        A value is wrong; the message names its option.
    """
    from pydantic import ValidationError

    from schemas.file import FileSpec

    content = dict(_content(path)) if path is not None else {}
    columns = dict(content.get("columns") or {}) | _mapped(mapped or ())
    fields = content | {name: value for name, value in given.items() if value is not None}
    try:
        return FileSpec.model_validate(fields | ({"columns": columns} if columns else {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        given_here = given.get(name) is not None
        place = _NAMES.get(name, f"--{name.replace('_', '-')}") if given_here else f"--spec {path}: {name}"
        msg = f"{place}: {first['msg'].removeprefix('Value error, ')}"
        raise ExpectedError(msg) from None


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        msg = f"--spec {path}: not valid JSON ({error})"
        raise ExpectedError(msg) from None
    if not isinstance(content, dict):
        msg = f'--spec {path}: write an object such as {{"nominal_capacity_ah": 94}}'
        raise ExpectedError(msg)
    return content


def _mapped(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        ours, equals, title = pair.partition("=")
        if not equals:
            msg = f'--map {pair}: write our column, = and its title in the file, such as current="BMU1 current [A]"'
            raise ExpectedError(msg)
        columns[ours.strip()] = title
    return columns


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file, or what stdin gives, to be read as often as needed."""
    if file != STDIN:
        with Path(file).open("rb") as source:
            yield source
        return
    with SpooledTemporaryFile(_IN_MEMORY) as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield cast("BinaryIO", spooled)


def files_of(names: Sequence[str]) -> list[str]:
    """Files by name or pattern, such as ``2024-*.csv``, which not every shell expands."""
    found: list[str] = []
    for name in names:
        path = Path(name)
        matches = [] if name == STDIN or path.exists() or not set(name) & set("*?[") else _matches(path)
        found += matches or [name]
    return found


def _matches(pattern: Path) -> list[str]:
    folder = Path(pattern.anchor) if pattern.is_absolute() else Path()
    return sorted(map(str, folder.glob(str(pattern.relative_to(folder)))))
