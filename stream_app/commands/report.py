"""``stream-app report``: an asset or a file on one page, to send or to print."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream_app.commands import file_options as options
from stream_app.commands.options import Key
from stream_app.errors import ExpectedError

if TYPE_CHECKING:
    from stream_app.infra.report.page import Subject

_WINDOWS: Final = ("1h", "1d")


def report(
    subject: Annotated[str, typer.Argument(metavar="ASSET|FILE", help="Id of an asset, or a file of measurements")],
    *,
    out: Annotated[Path, typer.Option(help="The page: HTML without scripts, its plots are in it")] = Path(
        "report.html"
    ),
    nominal_capacity: options.Capacity = None,
    spec: options.Spec = None,
    asset: Annotated[str | None, typer.Option(help="The asset to read of a file that holds several")] = None,
    url: Annotated[str, typer.Option(help="URL of any worker, for an asset")] = "http://127.0.0.1:8000",
    key: Key = None,
) -> None:
    """Write a report of an asset, asked of a worker; or of a file, computed here."""
    from stream_app.infra.report.page import report as page

    if Path(subject).is_file():
        found = _of_file(subject, nominal_capacity, spec, asset)
    elif Path(subject).suffix or "/" in subject:
        msg = f"there is no file {subject}, and no asset has such an id: check the path"
        raise ExpectedError(msg)
    else:
        found = asyncio.run(_of_asset(url, subject, key))
    out.write_text(page(found, datetime.now(UTC)), "utf-8")
    typer.echo(f"wrote {out}")


def _of_file(name: str, nominal_capacity_ah: float | None, spec: Path | None, asset: str | None) -> Subject:
    from schemas.metrics import MetricsUpdate
    from stream_app.commands.compute import computed_of
    from stream_app.infra.report.page import Subject

    file_spec = options.file_spec(
        spec, None, nominal_capacity_ah=nominal_capacity_ah, windows=None if spec else _WINDOWS
    )
    computed = computed_of([name], file_spec, asset)
    assets = sorted({update.asset_id for update in computed.updates})
    if len(assets) != 1:
        msg = f"{name} holds {len(assets)} assets: name one with --asset ({', '.join(assets[:5])})"
        raise ExpectedError(msg)
    updates = [MetricsUpdate.model_validate_json(update.json) for update in computed.updates]
    lifetime = next((update for update in updates if update.window.end is None), None)
    windows = [update for update in updates if update.window.end is not None]
    return Subject(
        name=Path(name).name,
        spec=file_spec.of_asset(),
        lifetime=lifetime,
        windows=windows,
        rows=computed.rows,
        rows_rejected=computed.rejected_rows,
        first_time=None if lifetime is None else lifetime.window.start,
        last_time=max((update.window.end or "" for update in windows), default=None),
    )


async def _of_asset(url: str, asset_id: str, key: str | None) -> Subject:
    from stream_app.infra.report.page import subject_of
    from stream_app.worker_client import WorkerClient

    async with WorkerClient(url, key=key) as worker:
        answer = await worker.asset(asset_id)
        sizes = [update.window.size for update in answer.open_windows]
        pages = [await worker.windows(asset_id, size) for size in sizes]
    return subject_of(answer, [update for page in pages for update in page.windows])
