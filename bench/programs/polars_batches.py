"""Micro-batches: what has come in, up to 50,000 messages, becomes a polars frame, which is summed per asset and minute.

Lifetimes and open windows are kept in a dict; each second the states that changed go to a changelog, then offsets are
committed. It does not recover from the changelog.
"""

import io
import time
from typing import Any

import orjson
import polars as pl
from confluent_kafka import Consumer, Producer

from bench.programs.job import BATCHED, BROKER, CONSUMER_TUNING, INPUT, OUTPUT, PRODUCER_TUNING, ROWS_PER_ASSET, RUN

_BATCH = 50_000
_COMMIT_S = 1.0
_SCHEMA = {
    "asset_id": pl.String,
    "timestamp": pl.String,
    "current": pl.Float64,
    "voltage": pl.Float64,
    "soc": pl.Float64,
}
_NAMES = ("rows", "charge_in_as", "charge_out_as", "energy_in_j", "energy_out_j", "travel_percent")
_TRAVEL = _NAMES.index("travel_percent")

_current, _soc = pl.col("current"), pl.col("soc")
_power = _current * pl.col("voltage")
_SUMS = (
    pl.len(),
    _current.filter(_current > 0).sum().alias("charge_in_as"),
    -_current.filter(_current < 0).sum().alias("charge_out_as"),
    _power.filter(_current > 0).sum().alias("energy_in_j"),
    -_power.filter(_current < 0).sum().alias("energy_out_j"),
    _soc.diff().abs().sum().alias("travel_percent"),
    _soc.first().alias("first"),
    _soc.last().alias("last"),
)


def sums_of(values: list[bytes]) -> list[tuple[Any, ...]]:
    """Asset, minute, the sums by name, first and last SoC: of each asset and minute in some messages, in that order."""
    text = b"\n".join([value.strip(b"[]") for value in values])
    if BATCHED:
        text = text.replace(b"},{", b"}\n{")
    frame = pl.read_ndjson(io.BytesIO(text), schema=_SCHEMA)
    by_minute = frame.group_by("asset_id", pl.col("timestamp").str.slice(0, 16).alias("minute"))
    rows: list[tuple[Any, ...]] = by_minute.agg(_SUMS).sort("asset_id", "minute").rows()
    return rows


class State:
    """Lifetime and open window of an asset."""

    def __init__(self, minute: str) -> None:
        self.life = [0.0] * len(_NAMES)
        self.window = [0.0] * len(_NAMES)
        self.minute = minute
        self.soc: float | None = None  # of the last row

    def join(self, minute: str, sums: list[Any], first: float, last: float) -> tuple[str, list[float]] | None:
        """Add sums of rows of a minute; returns the window that this closes, and its minute."""
        closed = None
        between = 0.0 if self.soc is None else abs(first - self.soc)
        if minute != self.minute:
            closed = self.minute, self.window
            self.minute, self.window = minute, list(sums)
        else:
            self.window = [before + more for before, more in zip(self.window, sums, strict=True)]
            self.window[_TRAVEL] += between
        self.life = [before + more for before, more in zip(self.life, sums, strict=True)]
        self.life[_TRAVEL] += between
        self.soc = last
        return closed


def record(asset_id: str, sums: list[float], window: str | None = None) -> bytes:
    """What goes out: of a window, or of the lifetime."""
    return orjson.dumps({"asset_id": asset_id, "window": window, **dict(zip(_NAMES, sums, strict=True))})


def main() -> None:
    """Run until killed."""
    consumer = Consumer(
        {
            "bootstrap.servers": BROKER,
            "group.id": RUN,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **CONSUMER_TUNING,
        }
    )
    producer = Producer({"bootstrap.servers": BROKER, "partitioner": "murmur2_random", **PRODUCER_TUNING})
    consumer.subscribe([INPUT])
    states: dict[str, State] = {}
    changed: set[str] = set()
    due = time.monotonic() + _COMMIT_S
    while True:
        messages = consumer.consume(_BATCH, 0.1)
        if failed := [message.error() for message in messages if message.error()]:
            raise RuntimeError(str(failed[0]))
        for asset_id, minute, *sums, first, last in sums_of([each.value() for each in messages]) if messages else ():
            state = states.setdefault(asset_id, State(minute))
            closed = state.join(minute, sums, first, last)
            if closed is not None:
                producer.produce(OUTPUT, record(asset_id, closed[1], closed[0]), asset_id)
            if closed is not None or state.life[0] == ROWS_PER_ASSET:
                producer.produce(OUTPUT, record(asset_id, state.life), asset_id)
            changed.add(asset_id)
        producer.poll(0)
        if changed and time.monotonic() > due:
            for asset_id in changed:
                producer.produce(f"{RUN}-changelog", orjson.dumps(vars(states[asset_id])), asset_id)
            changed.clear()
            producer.flush()
            consumer.commit(asynchronous=False)
            due = time.monotonic() + _COMMIT_S


if __name__ == "__main__":
    main()
