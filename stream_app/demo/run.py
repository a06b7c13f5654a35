"""The two ways to run the demo: until it is ended, with a live view; or once, over a simulated day."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from schemas.fleet import AssetItem
from schemas.lookup import AssetAnswer
from schemas.metrics import MetricsUpdate, Window
from stream_app.demo.sample_day import PACK, simulate_day, write_csv
from stream_app.demo.session import Session, session
from stream_app.demo.simulated_fleet import SimulatedFleet
from stream_app.demo.view import Observation, links, panel
from stream_app.errors import ExpectedError
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.settings import KafkaSettings
from stream_app.worker_client import NoWorkerError, RefusedError, UnreadableAnswerError, WorkerClient, WorkerClientError

_REFRESH_S: Final = 1.0
_LINE_EVERY_S: Final = 5.0
_TASK_POLL_S: Final = 0.1
_TASK_TIMEOUT_S: Final = 60.0
#: Assets whose metrics are asked for at each refresh.
_SHOWN_ASSETS: Final = 20
#: In the demo's folder, so that it is there wherever the program was installed from.
_SAMPLE_NAME: Final = "sample_day.csv"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for.

    Parameters
    ----------
    broker
        Kafka to use instead of the embedded one.
    fleet_size
        Simulated assets; 0 for none.
    speed
        Seconds of event time per second.
    """

    data_dir: Path
    port: int
    broker: str | None
    fleet_size: int
    speed: float


async def run_live(options: DemoOptions, kafka: KafkaSettings, console: Console) -> None:
    """Run until cancelled."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            session(kafka, options.data_dir, options.port, options.broker, console, history=True)
        )
        await running.while_alive(_fed_and_shown(running, options, console))


async def _fed_and_shown(running: Session, options: DemoOptions, console: Console) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            if options.fleet_size:
                tasks.create_task(_feed(running, options))
            tasks.create_task(_show(running, options, console))
    except ExceptionGroup as both:
        raise both.exceptions[0] from None  # one cause: the other's failure follows from it


async def run_once(options: DemoOptions, kafka: KafkaSettings, console: Console) -> MetricsUpdate:
    """Upload the simulated day as any client would, and return its metrics over all rows."""
    nominal_capacity_ah = PACK.nominal_capacity_ah
    async with session(kafka, options.data_dir, options.port, options.broker, console, history=False) as running:
        client, file = running.client, await _sample(options)
        task_id = await client.upload(file, nominal_capacity_ah)
        console.print(f"uploaded {file} (nominal capacity {nominal_capacity_ah:g} Ah): {client.url}, task {task_id}")
        return await running.while_alive(_result(client, task_id, file.name))


async def _sample(options: DemoOptions) -> Path:
    """Write the simulated day into the demo's folder; returns the file."""
    file = options.data_dir / _SAMPLE_NAME
    await asyncio.to_thread(lambda: write_csv(simulate_day(), file))
    return file


async def _result(client: WorkerClient, task_id: str, name: str) -> MetricsUpdate:
    async with asyncio.timeout(_TASK_TIMEOUT_S):
        while (status := await client.task(task_id)).state in ("PENDING", "STARTED"):  # noqa: ASYNC110  # over HTTP
            await asyncio.sleep(_TASK_POLL_S)
    if status.data is None:
        msg = f"the upload failed: {status.error}"
        raise ExpectedError(msg)
    window = Window(size="lifetime", start="", end=None)
    return MetricsUpdate(asset_id=name, window=window, seq=0, final=True, metrics=status.data.metrics)


async def _feed(running: Session, options: DemoOptions) -> None:
    fleet = SimulatedFleet(options.fleet_size, options.speed)
    await _caught_up(running.client)
    await fleet.resume(running.client)
    measurements = MeasurementTopic(running.kafka)
    await measurements.start()
    try:
        await fleet.run(measurements)
    finally:
        await measurements.stop()


async def _caught_up(client: WorkerClient) -> None:
    """Wait until the worker has applied all rows that are in Kafka: its state then tells how far each asset came."""
    while True:
        with contextlib.suppress(WorkerClientError):  # a rebalance, or a busy machine: ask again
            if (await client.assets()).meta.lag == 0:
                return
        await asyncio.sleep(_REFRESH_S)


async def _show(running: Session, options: DemoOptions, console: Console) -> None:
    sample = await _sample(options)
    servers, log = running.kafka.bootstrap_servers, str(running.log)
    places = links(running.client.url, servers, log, str(sample), has_history=running.has_history)
    if not console.is_terminal:
        for name, place in places:
            console.print(f"{name}: {place}")
        console.print(f"simulated packs; event time runs {options.speed:g} times as fast as the clock")
        seen = Observation("ready")
        while True:
            seen = await look(running.client, seen, _LINE_EVERY_S)
            console.print(seen.line)
            await asyncio.sleep(_LINE_EVERY_S)
    seen, period_s = Observation("ready"), _REFRESH_S
    with Live(panel(seen, places, options.speed), console=console, auto_refresh=False) as live:
        while True:
            before, seen = seen, await look(running.client, seen, period_s)
            if seen == before:
                period_s = min(2 * period_s, _LINE_EVERY_S)
            else:
                period_s = _REFRESH_S
                live.update(panel(seen, places, options.speed), refresh=True)
            await asyncio.sleep(period_s)


async def look(client: WorkerClient, before: Observation, period_s: float) -> Observation:
    """Ask the worker for its assets, and for the metrics of those that have had rows since the look before."""
    known = {asset.asset_id: asset for asset in before.assets}
    try:
        page = await client.assets()
        shown = [item for item in page.assets if item.rows][:_SHOWN_ASSETS]
        found = await asyncio.gather(*(_metrics(client, item, known.get(item.asset_id)) for item in shown))
        assets = [asset for asset in found if asset is not None]
        phase = "ready"
    except WorkerClientError:
        # The worker recovers, or a rebalance is under way: the view keeps the last values and shows the phase.
        return Observation(await _phase(client), before.assets, before.rows, 0.0, None)
    rows = sum(item.rows for item in page.assets)
    rows_per_s = max(0, rows - before.rows) / period_s if before.rows else 0.0
    return Observation(phase, tuple(assets), rows, rows_per_s, page.meta.lag)


async def _metrics(client: WorkerClient, item: AssetItem, known: AssetAnswer | None) -> AssetAnswer | None:
    """An asset's metrics; None where this one alone cannot be shown, such as one that was deleted meanwhile."""
    if known is not None and (known.rows, known.last_time) == (item.rows, item.last_time):
        return known
    try:
        return await client.asset(item.asset_id)
    except RefusedError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    except UnreadableAnswerError:
        pass
    return known


async def _phase(client: WorkerClient) -> str:
    try:
        return await client.phase()
    except NoWorkerError:  # its process lives, or the demo would have ended: the machine is busy
        return "slow to answer"
