"""Faust as its documentation teaches: a table for the lifetimes and a tumbling one, relative to the rows' own time."""

from datetime import datetime
from itertools import groupby
from typing import Any

import faust

from bench.programs.fold import empty, fold, minute, record
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


class EventTime:
    """Which row's window the tumbling table shows."""

    def __init__(self) -> None:
        self.at = 0.0

    def show(self, stamp: str) -> None:
        """Show the window of a stamp."""
        self.at = datetime.fromisoformat(stamp).timestamp()

    def __call__(self, event: Any) -> float:
        """Answer the table."""
        return self.at


time = EventTime()
lives = app.Table("lives", default=empty, partitions=4)
# Without an end: Faust lets windows expire by the wall clock, so a replay of old rows would lose them while open.
windowed: Any = app.Table("minutes", default=empty, partitions=4).tumbling(60.0, expires=None)
minutes = windowed.relative_to(time)


@app.agent(measurements)
async def sum_up(stream: Any) -> None:
    """Two table updates a row; in a message of many rows, one and another for each of its minutes."""
    newest: dict[str, str] = {}  # last stamp of each asset
    async for asset_id, value in stream.items():
        rows = value if BATCHED else (value,)
        life = lives[asset_id]
        closed = False
        for its_minute, some in groupby(rows, key=lambda row: minute(row["timestamp"])):
            before = newest.get(asset_id)
            if before is not None and minute(before) != its_minute:
                time.show(before)
                await output.send(key=asset_id, value=record(asset_id, minutes[asset_id].value(), minute(before)))
                closed = True
            window = None
            for row in some:
                fold(life, row)
                if window is None:
                    time.show(row["timestamp"])
                    window = minutes[asset_id].value()
                fold(window, row)
                newest[asset_id] = row["timestamp"]
            minutes[asset_id] = window
        lives[asset_id] = life
        if closed or life[10] == ROWS_PER_ASSET:
            await output.send(key=asset_id, value=record(asset_id, life))


if __name__ == "__main__":
    app.main()
