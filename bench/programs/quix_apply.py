"""Quix Streams with one stateful apply: lifetime and window in one state, the window kept by hand."""

from typing import Any

from quixstreams import Application

from bench.programs.fold import Record, advance
from bench.programs.job import BATCHED, BROKER, CONSUMER_TUNING, DIRECTORY, INPUT, OUTPUT, ROWS_PER_ASSET, RUN

app = Application(
    broker_address=BROKER,
    consumer_group=RUN,
    auto_offset_reset="earliest",
    state_dir=str(DIRECTORY / "state"),
    consumer_extra_config=dict(CONSUMER_TUNING),
    loglevel="WARNING",
)
measurements = app.topic(INPUT, key_deserializer="str", value_deserializer="json")
output = app.topic(OUTPUT, key_serializer="str", value_serializer="json")


def sum_up(value: Any, key: str, timestamp: int, headers: Any, state: Any) -> list[Record]:
    """One state read and one state write a message."""
    records: list[Record] = []
    rows = value if BATCHED else (value,)
    state.set("sums", advance(state.get("sums"), key, rows, ROWS_PER_ASSET, records.append))
    return records


app.dataframe(measurements).apply(sum_up, stateful=True, metadata=True, expand=True).to_topic(output)

if __name__ == "__main__":
    app.run()
