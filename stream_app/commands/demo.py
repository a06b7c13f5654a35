"""``stream-app demo``: broker, worker and a simulated fleet on this machine."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from stream_app.commands.options import settings_from
from stream_app.demo.run import DemoOptions, run_live, run_once
from stream_app.demo.session import until_signalled
from stream_app.errors import ExpectedError
from stream_app.terminal import metrics_table, stdout

_EXAMPLE_FILE = "sample_day.csv"


def demo(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the worker's HTTP server")] = 8000,
    data_dir: Annotated[Path, typer.Option(help="All data; a demo on the same folder goes on where it was")] = Path(
        ".demo"
    ),
    broker: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Use this Kafka instead of the embedded broker")
    ] = None,
    feed: Annotated[bool, typer.Option(help="Simulate a fleet that sends rows")] = True,
    assets: Annotated[int, typer.Option(min=1, max=1_000, help="Size of the fleet")] = 8,
    speed: Annotated[float, typer.Option(min=0.1, max=10_000, help="Seconds of event time per second")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Upload the example file, print its metrics, end")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: broker, topics, a worker and a simulated fleet."""
    options = DemoOptions(data_dir, port, broker, assets if feed and not once else 0, speed)
    kafka = settings_from().kafka
    console = stdout()
    if not once:
        if feed:
            _example_folder()
        asyncio.run(until_signalled(lambda: run_live(options, kafka, console)))
        return
    file = _example_folder() / _EXAMPLE_FILE

    async def show() -> None:
        console.print(metrics_table([await run_once(options, kafka, console, file)]))

    asyncio.run(until_signalled(show))


def _example_folder() -> Path:
    """Folder of the simulator and the example file, which are in the repository, not in the installed package."""
    found = find_spec("stream_app.demo.simulator")
    if found is None or found.origin is None:
        raise ExpectedError("the simulated fleet is not installed: run the demo from a clone, or with --no-feed")
    return Path(found.origin).parent
