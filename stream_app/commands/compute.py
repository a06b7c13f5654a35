"""``stream-app compute``: a file's metrics, by the same code that a worker runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from pydantic import ValidationError

from schemas.asset import AssetSpec, window_size_s
from stream_app.commands.errors import CommandError
from stream_app.commands.options import settings_from
from stream_app.infra.files import read_blocks
from stream_app.infra.row_messages import encode
from stream_app.terminal import metrics_table, stdout
from stream_app.usecases import compute as computing
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import RowMessage
from stream_app.wire.decode import Codec


def compute(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or a JSON row per line")],
    *,
    nominal_capacity: Annotated[float, typer.Option(metavar="AH", help="Nominal capacity [Ah]")],
    asset: Annotated[
        str | None, typer.Option(help="Asset of all rows [the file's asset column, else its name]")
    ] = None,
    window: Annotated[list[str] | None, typer.Option(help="Windows of this size too, such as 1h; repeatable")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON metrics update per line")] = False,
) -> None:
    """Compute the metrics of a file; nothing but this program is needed."""
    spec = _spec(nominal_capacity, window)
    sizes_s = tuple(window_size_s(size) for size in settings_from().upload_windows)
    try:
        with file.open("rb") as source:
            computed = computing.compute(_messages(source, asset, file), spec, decoder=Codec(), window_sizes_s=sizes_s)
    except InvalidError as error:
        msg = f"{file}: {error.detail}"
        raise CommandError(msg) from None
    if computed.rejected_rows:
        typer.echo(f"{computed.rejected_rows} rows left out, the first because: {computed.reason}", err=True)
    updates = [(text, update) for text, update in computed.updates if update.window.end is None or window]
    if as_json:
        for text, _ in updates:
            typer.echo(text)
    else:
        stdout().print(metrics_table([update for _, update in updates]))


def _spec(nominal_capacity_ah: float, windows: list[str] | None) -> AssetSpec:
    try:
        return AssetSpec(nominal_capacity_ah=nominal_capacity_ah, windows=tuple(windows) if windows else None)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--window" if first["loc"][0] == "windows" else "--nominal-capacity"
        msg = f"{option}: {first['msg'].removeprefix('Value error, ')}"
        raise CommandError(msg) from None


def _messages(source: BinaryIO, asset: str | None, file: Path) -> Iterator[tuple[str, RowMessage]]:
    name = asset or re.sub(r"\s+", "-", file.stem)
    for block in read_blocks(source, name):
        yield from encode(block, name if block.asset_ids is None else asset, "arrow")
