"""``stream-app demo``: broker, worker and a simulated fleet on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from stream_app.commands.options import settings_from


def demo(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the worker's HTTP server")] = 8000,
    data_dir: Annotated[
        Path, typer.Option(help="Folder of all data; a demo started again on it goes on where it was")
    ] = Path(".demo"),
    broker: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Use this Kafka instead of the embedded broker")
    ] = None,
    feed: Annotated[bool, typer.Option(help="Simulate a fleet that sends rows")] = True,
    assets: Annotated[int, typer.Option(min=1, max=1_000, help="Number of assets in the fleet")] = 8,
    speed: Annotated[float, typer.Option(min=0.1, max=10_000, help="Seconds of event time per second")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Upload a simulated day, print its metrics and end")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: broker, topics, a worker and a simulated fleet."""
    from stream_app.demo.run import DemoOptions, run_live, run_once
    from stream_app.demo.session import until_signalled
    from stream_app.terminal import metrics_table, stdout

    options = DemoOptions(data_dir, port, broker, assets if feed and not once else 0, speed)
    kafka = settings_from().kafka
    console = stdout()

    async def run() -> None:
        if once:
            console.print(metrics_table([await run_once(options, kafka, console)]))
        else:
            await run_live(options, kafka, console)

    asyncio.run(until_signalled(run))
