"""Settings of a program, all from its environment."""

import os
from pathlib import Path

BROKER = os.environ["BENCH_BROKER"]
INPUT = os.environ["BENCH_INPUT"]
OUTPUT = os.environ["BENCH_OUTPUT"]
RUN = os.environ["BENCH_RUN"]
DIRECTORY = Path(os.environ["BENCH_DIRECTORY"])
#: With its last row an asset's lifetime goes out once more; there is no later window that would close with it.
ROWS_PER_ASSET = int(os.environ["BENCH_ROWS_PER_ASSET"])
#: A message holds an array of rows instead of one row.
BATCHED = os.environ["BENCH_BATCHED"] == "1"

#: librdkafka's own 1000 ms let a fast reader idle most of the time.
CONSUMER_TUNING = {"fetch.queue.backoff.ms": 2, "queued.min.messages": 1_000_000}
PRODUCER_TUNING = {"linger.ms": 20, "compression.type": "lz4"}
