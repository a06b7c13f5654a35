"""A simulated day of one pack as a CSV file, the same at each writing: what the demo uploads."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from stream_app.demo.simulator import DAY_S, Pack, Simulation, Trace

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
#: A row every 4 s keeps the file below 1 MB.
PERIOD_S: Final = 4
SEED: Final = 1
PACK: Final = Pack()


def simulate_day() -> Trace:
    """Return the day's rows."""
    return Simulation(PACK, period_s=PERIOD_S, seed=SEED).advance(DAY_S // PERIOD_S)


def write_csv(trace: Trace, path: Path, *, start: datetime = START) -> None:
    """Write a trace as a battery's logger would: 0.1 A, 0.01 V and 0.1 % steps."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("timestamp", "current", "voltage", "soc"))
        for time_s, current_a, voltage_v, soc in zip(
            trace.time_s.tolist(), trace.current_a.tolist(), trace.voltage_v.tolist(), trace.soc.tolist(), strict=True
        ):
            stamp = (start + timedelta(seconds=time_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.writerow((stamp, f"{current_a:.1f}", f"{voltage_v:.2f}", f"{100 * soc:.1f}"))
