"""Simulate assets of each kind, and write docs/accuracy.md: ``python -m tests.accuracy --assets 125``."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from tests.accuracy.assessment import Estimate, estimates
from tests.accuracy.kinds import KINDS
from tests.accuracy.report import page

PAGE: Final = Path(__file__).parents[2] / "docs" / "accuracy.md"


def _of(part: tuple[str, int, int]) -> tuple[list[Estimate], float]:
    kind, asset, seed = part
    begun_s = time.process_time()
    return list(estimates(kind, range(asset, asset + 1), seed)), time.process_time() - begun_s


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("--assets", type=int, default=125, help="assets of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args()
    parts = [(kind, asset, given.seed) for kind in KINDS for asset in range(given.assets)]
    _of(parts[0])  # compiled once, for all processes
    with ProcessPoolExecutor(given.jobs) as pool:
        results = list(pool.map(_of, parts))
    found = [estimate for some, _ in results for estimate in some]
    command = f"python -m tests.accuracy --assets {given.assets} --seed {given.seed}"
    given.output.write_text(page(found, assets=given.assets, seed=given.seed, command=command), "utf-8")
    cpu_s = sum(cpu_s for _, cpu_s in results)
    sys.stdout.write(f"{given.output}: {len(parts)} assets, {cpu_s / len(parts):.2f} s of CPU time each\n")


if __name__ == "__main__":
    main()
