"""Write ``sample_day.csv``, the simulated day that the demo uploads, and ``sample_day_truth.json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from stream_app.demo.sample_day import PACK, PERIOD_S, SEED, simulate_day, write_csv
from stream_app.demo.simulator import truth_of

FOLDER = Path(__file__).parent


def main() -> None:
    """Write both files beside this script."""
    trace = simulate_day()
    write_csv(trace, FOLDER / "sample_day.csv")
    truth = {"pack": asdict(PACK), "period_s": PERIOD_S, "seed": SEED, "truth": asdict(truth_of(PACK, trace))}
    (FOLDER / "sample_day_truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
