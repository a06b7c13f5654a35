"""A simulated fleet: sends rows as its batteries would, with event time running faster than the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import numpy as np
import orjson

from schemas.asset import AssetSpec
from stream_app.columns.arrays import FloatArray
from stream_app.demo.simulator import DAY_S, Pack, Simulation, Trace
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.worker_client import RefusedError, WorkerClient

#: The first row of every asset. A fixed day: a fleet that is started again re-simulates up to where it was.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD_S: Final = 2
TICK_S: Final = 0.5
PREFIX: Final = "demo-"
_FORWARD_ROWS: Final = 20_000
_HEAT_K_PER_V: Final = 3.0
#: Nameplate and limits, so that every part of the dashboard has something to show.
_SPEC: Final = AssetSpec(
    nominal_energy_kwh=90.0,
    energy_price_per_kwh=0.28,
    warranty_full_cycles=6_000.0,
    warranty_throughput_kwh=500_000.0,
    temperature_low_c=10.0,
    temperature_high_c=40.0,
    soc_low_percent=10.0,
    soc_high_percent=90.0,
    c_rate_high=1.0,
    sampling_period_s=PERIOD_S,
)


@dataclass(slots=True)
class SimulatedAsset:
    """One battery: its id, its simulation and the number of its next row."""

    asset_id: str
    simulation: Simulation
    next_row: int = 0

    @classmethod
    def number(cls, i: int) -> SimulatedAsset:
        """Return the fleet's ``i``-th: each has another age and another regulation signal."""
        pack = Pack(soh=0.98 - 0.02 * (i % 8))
        return cls(f"{PREFIX}{i + 1:02d}", Simulation(pack, period_s=PERIOD_S, seed=i, start_soc=0.4 + 0.05 * (i % 5)))

    def forward_to(self, time: datetime) -> None:
        """Simulate, and drop, all rows up to ``time``."""
        missing = int((time - EPOCH).total_seconds()) // PERIOD_S + 1 - self.next_row
        while missing > 0:
            self.next_row += len(self.simulation.advance(min(missing, _FORWARD_ROWS)).time_s)
            missing -= _FORWARD_ROWS

    def rows(self, n: int) -> list[bytes]:
        """Return the next ``n`` rows as messages."""
        trace = self.simulation.advance(n)
        self.next_row += n
        return _messages(self.asset_id, trace)


def _messages(asset_id: str, trace: Trace) -> list[bytes]:
    start_s = int(EPOCH.timestamp())
    return [
        orjson.dumps(
            {
                "asset_id": asset_id,
                "timestamp": start_s + int(time_s),
                "current": round(current_a, 1),
                "voltage": round(voltage_v, 2),
                "soc": round(100 * soc, 1),
                "temperature": round(temperature_c, 1),
            }
        )
        for time_s, current_a, voltage_v, soc, temperature_c in zip(
            trace.time_s.tolist(),
            trace.current_a.tolist(),
            trace.voltage_v.tolist(),
            trace.soc.tolist(),
            _temperature_c(trace).tolist(),
            strict=True,
        )
    ]


def _temperature_c(trace: Trace) -> FloatArray:
    """A day's swing, and heat that follows the load as the RC element does."""
    day = np.sin(2 * np.pi * (trace.time_s / DAY_S - 0.4))
    return 23.0 + 6.0 * day + _HEAT_K_PER_V * np.abs(trace.rc_v)


@dataclass(slots=True)
class SimulatedFleet:
    """Batteries that send rows to the measurements topic.

    Parameters
    ----------
    size
        Number of assets.
    speed
        Seconds of event time per second.
    """

    size: int
    speed: float
    assets: Sequence[SimulatedAsset] = field(init=False)

    def __post_init__(self) -> None:
        """Make the assets; nothing is simulated yet."""
        self.assets = [SimulatedAsset.number(i) for i in range(self.size)]

    async def resume(self, worker: WorkerClient) -> None:
        """Bring each asset to where the worker's state is; a new one gets its spec.

        Raises
        ------
        WorkerClientError
            The worker refuses a look-up or a spec, or does not answer.
        """
        for asset in self.assets:
            try:
                last_time = (await worker.asset(asset.asset_id)).last_time
            except RefusedError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                last_time = None  # the worker does not know it yet
            if last_time is None:
                capacity_ah = asset.simulation.pack.nominal_capacity_ah
                await worker.put_spec(asset.asset_id, _SPEC.model_copy(update={"nominal_capacity_ah": capacity_ah}))
            else:
                await asyncio.to_thread(asset.forward_to, datetime.fromisoformat(last_time))

    async def run(self, measurements: MeasurementTopic) -> None:
        """Send until cancelled: single-row messages, each asset's in one go per tick."""
        loop = asyncio.get_running_loop()
        rows_due = 0.0
        tick = loop.time()
        while True:
            rows_due += self.speed * TICK_S / PERIOD_S
            n = int(rows_due)
            rows_due -= n
            if n:
                await asyncio.gather(
                    *(measurements.append(asset.asset_id.encode(), asset.rows(n)) for asset in self.assets)
                )
            # Time lost in a late tick is not made up for: the fleet slows down instead of flooding a busy machine.
            tick = max(tick + TICK_S, loop.time())
            await asyncio.sleep(tick - loop.time())
