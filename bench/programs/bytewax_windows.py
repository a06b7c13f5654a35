"""Bytewax with its windowing operators: a stateful map for the lifetime, folded tumbling windows; recovery is on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing

from bench.programs.fold import Record, empty, fold, minute, record
from bench.programs.job import BATCHED, BROKER, CONSUMER_TUNING, INPUT, OUTPUT, PRODUCER_TUNING, ROWS_PER_ASSET

_TEXT = {name: str(value) for name, value in {**CONSUMER_TUNING, **PRODUCER_TUNING}.items()}


def parse(message: Any) -> list[tuple[str, Any]]:
    """Rows of a message by key."""
    content = orjson.loads(message.value)
    return [(row["asset_id"], row) for row in (content if BATCHED else (content,))]


def live(sums: Any, row: Any) -> tuple[Any, Record | None]:
    """Add to the lifetime; return its record when a minute has passed."""
    sums = sums or empty()
    before = minute(sums[11])
    fold(sums, row)
    passed = before not in ("", minute(sums[11]))
    return sums, record(row["asset_id"], sums) if passed or sums[10] == ROWS_PER_ASSET else None


def window_record(keyed: tuple[str, tuple[int, Any]]) -> tuple[str, Record]:
    """Record of a window that was closed."""
    asset_id, (_, sums) = keyed
    return asset_id, record(asset_id, sums, minute(sums[11]))


def message_of(keyed: tuple[str, Record]) -> Any:
    """Message of an output record."""
    return KafkaSinkMessage(keyed[0].encode(), orjson.dumps(keyed[1]))


flow = Dataflow("bytewax_windows")
_source = KafkaSource([BROKER], [INPUT], tail=False, add_config={name: _TEXT[name] for name in CONSUMER_TUNING})
_rows = op.flat_map("parse", op.input("input", flow, _source), parse)
_lives = op.filter_value("lives", op.stateful_map("live", _rows, live), lambda result: result is not None)
_clock = windowing.EventClock(
    ts_getter=lambda row: datetime.fromisoformat(row["timestamp"]), wait_for_system_duration=timedelta(seconds=10)
)
_minutes = windowing.TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2022, 1, 1, tzinfo=UTC))
_closed = windowing.fold_window("fold", _rows, _clock, _minutes, builder=empty, folder=fold, merger=lambda a, b: a)
_records = op.merge("records", _lives, op.map("window", _closed.down, window_record))
_sink = KafkaSink([BROKER], OUTPUT, add_config={name: _TEXT[name] for name in PRODUCER_TUNING})
op.output("output", op.map("message", _records, message_of), _sink)
