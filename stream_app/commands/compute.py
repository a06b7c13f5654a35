"""``stream-app compute``: a file's metrics, by the same code that a worker runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_app.commands.options import settings_from
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from schemas.asset import AssetSpec


def compute(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or a JSON row per line")],
    *,
    nominal_capacity: Annotated[float, typer.Option(metavar="AH", help="Nominal capacity [Ah]")],
    asset: Annotated[
        str | None, typer.Option(help="Asset of all rows [the file's asset column, else its name]")
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option(help="Show the windows of this size too, such as 1h; repeatable")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each metrics update as a line of JSON")] = False,
) -> None:
    """Compute the metrics of a file, without Kafka."""
    from schemas.asset import window_size_s
    from schemas.metrics import MetricsUpdate
    from stream_app.infra.files import read_blocks
    from stream_app.infra.row_messages import encode
    from stream_app.terminal import metrics_table, stdout
    from stream_app.usecases.compute import compute as compute_metrics
    from stream_app.usecases.errors import InvalidError

    spec = _spec(nominal_capacity, window)
    sizes_s = tuple(window_size_s(size) for size in settings_from().upload_windows)
    name = asset or re.sub(r"\s+", "-", file.stem)
    try:
        with file.open("rb") as source:
            messages = (
                message
                for block in read_blocks(source, name)
                for message in encode(block, name if block.owners is None else asset, "arrow")
            )
            computed = compute_metrics(messages, spec, window_sizes_s=sizes_s)
    except InvalidError as error:
        msg = f"{file}: {error.detail}"
        raise ExpectedError(msg) from None
    if computed.rejected_rows:
        typer.echo(f"{computed.rejected_rows} rows left out, the first because: {computed.reason}", err=True)
    updates = [update.json for update in computed.updates if update.window.end is None or window]
    if as_json:
        for update in updates:
            typer.echo(update)
    else:
        stdout().print(metrics_table([MetricsUpdate.model_validate_json(update) for update in updates]))


def _spec(nominal_capacity_ah: float, windows: list[str] | None) -> AssetSpec:
    from pydantic import ValidationError

    from schemas.asset import AssetSpec

    try:
        return AssetSpec(nominal_capacity_ah=nominal_capacity_ah, windows=tuple(windows) if windows else None)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--window" if first["loc"][0] == "windows" else "--nominal-capacity"
        msg = f"{option}: {first['msg'].removeprefix('Value error, ')}"
        raise ExpectedError(msg) from None
