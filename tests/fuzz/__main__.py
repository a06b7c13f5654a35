"""``python -m tests.fuzz``: a line per seed; status 0 when all good rows are exact and all others are told."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.run import fuzz
from tests.kafka import settings_for, some_broker


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the requested runs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    asked = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="fuzz-"))
    exact = True
    with some_broker(directory) as broker:
        for seed in range(asked.seed, asked.seed + asked.seeds):
            findings, line = asyncio.run(fuzz(settings_for(broker.bootstrap_servers), directory, seed, asked.records))
            sys.stdout.write("\n    ".join((line, *(text[:1000] for text in findings.summary_lines()))) + "\n")
            sys.stdout.flush()
            exact = exact and findings.ok
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
