"""Faust with one table: lifetime and window in one value, the window kept by hand."""

from typing import Any

import faust

from bench.programs.fold import Record, advance
from bench.programs.job import BATCHED, BROKER, DIRECTORY, INPUT, OUTPUT, ROWS_PER_ASSET, RUN

app = faust.App(
    RUN,
    broker=f"kafka://{BROKER}",
    store="memory://",
    datadir=str(DIRECTORY),
    topic_partitions=4,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
measurements = app.topic(INPUT, key_type=str, value_serializer="json")
output = app.topic(OUTPUT, key_type=str, value_serializer="json")
states = app.Table("states", default=list, partitions=4)


@app.agent(measurements)
async def sum_up(stream: Any) -> None:
    """One table update a message."""
    async for asset_id, value in stream.items():
        records: list[Record] = []
        rows = value if BATCHED else (value,)
        states[asset_id] = advance(states[asset_id], asset_id, rows, ROWS_PER_ASSET, records.append)
        for each in records:
            await output.send(key=asset_id, value=each)


if __name__ == "__main__":
    app.main()
