"""Quix Streams with its windowing operators: a stateful apply for the lifetime, a tumbling window reduced."""

from datetime import datetime
from typing import Any

from quixstreams import Application

from bench.programs.fold import Record, empty, fold, minute, record
from bench.programs.job import BATCHED, BROKER, CONSUMER_TUNING, DIRECTORY, INPUT, OUTPUT, ROWS_PER_ASSET, RUN


def event_ms(row: Any) -> int:
    """Event time of a row."""
    return int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)


def extract(value: Any, headers: Any, timestamp: float, timestamp_type: Any) -> int:
    """Event time of a message: its first row's."""
    return event_ms(value[0] if BATCHED else value)


app = Application(
    broker_address=BROKER,
    consumer_group=RUN,
    auto_offset_reset="earliest",
    state_dir=str(DIRECTORY / "state"),
    consumer_extra_config=dict(CONSUMER_TUNING),
    loglevel="WARNING",
)
measurements = app.topic(INPUT, key_deserializer="str", value_deserializer="json", timestamp_extractor=extract)
output = app.topic(OUTPUT, key_serializer="str", value_serializer="json")


def live(value: Any, key: str, timestamp: int, headers: Any, state: Any) -> Record | None:
    """Add to the lifetime; return its record when a minute has passed."""
    sums = state.get("sums") or empty()
    before = minute(sums[11])
    rows = value if BATCHED else (value,)
    for row in rows:
        fold(sums, row)
    state.set("sums", sums)
    passed = before not in ("", minute(sums[11]))
    return record(key, sums) if passed or sums[10] == ROWS_PER_ASSET else None


frame = app.dataframe(measurements)
frame.apply(live, stateful=True, metadata=True).filter(lambda result: result is not None).to_topic(output)
single = frame
if BATCHED:
    single = frame.apply(lambda rows: rows, expand=True).set_timestamp(lambda row, *_: event_ms(row))
windows = single.tumbling_window(60_000).reduce(reducer=fold, initializer=lambda row: fold(empty(), row)).final()
windows.apply(
    lambda window, key, *_: record(key, window["value"], minute(window["value"][11])), metadata=True
).to_topic(output)

if __name__ == "__main__":
    app.run()
