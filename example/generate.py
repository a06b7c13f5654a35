"""Write ``sample_day.csv`` and ``sample_day_truth.json``: a simulated day, a row every 4 s to stay under 1 MB."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream_app.demo.simulator import DAY_S, Pack, Simulation, Trace, truth_of

START = datetime(2026, 3, 1, tzinfo=UTC)
PERIOD_S = 4
SEED = 1
FOLDER = Path(__file__).parent


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


def main() -> None:
    """Write both files beside this script."""
    pack = Pack()
    trace = Simulation(pack, period_s=PERIOD_S, seed=SEED).advance(DAY_S // PERIOD_S)
    write_csv(trace, FOLDER / "sample_day.csv")
    truth = {"pack": asdict(pack), "period_s": PERIOD_S, "seed": SEED, "truth": asdict(truth_of(pack, trace))}
    (FOLDER / "sample_day_truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
