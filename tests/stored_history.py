"""What a history store must hold after a topic, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg
import orjson

from schemas.asset import is_upload


class Stored(NamedTuple):
    """A state: everything of an update that is kept; metrics that are null are not among ``values``."""

    start: datetime
    partition: int | None
    seq: int
    final: bool
    values: dict[str, Any]
    reasons: dict[str, str]


Tables = tuple[dict[tuple[str, str, datetime], Stored], dict[tuple[str, str], Stored]]


def expected(updates: Iterable[bytes]) -> Tables:
    """Windows and latest states of a topic, by the rule of docs/consuming.md alone: of a window the highest seq."""
    windows: dict[tuple[str, str, datetime], Stored] = {}
    latest: dict[tuple[str, str], Stored] = {}
    for update in map(orjson.loads, updates):
        if is_upload(update["asset_id"]):
            continue
        asset_id, size = update["asset_id"], update["window"]["size"]
        metrics = update["metrics"]
        state = Stored(
            start=datetime.fromisoformat(update["window"]["start"]),
            partition=update.get("partition"),
            seq=update["seq"],
            final=update["final"],
            values={name: metric["value"] for name, metric in metrics.items() if metric["value"] is not None},
            reasons={name: metric["reason"] for name, metric in metrics.items() if "reason" in metric},
        )
        key = asset_id, size, state.start
        if size != "lifetime" and (key not in windows or windows[key].seq < state.seq):
            windows[key] = state
        before = latest.get((asset_id, size))
        if before is None or (before.seq, before.start) < (state.seq, state.start):
            latest[asset_id, size] = state
    return windows, latest


async def stored_sample(url: str, share: int) -> dict[tuple[str, str, datetime], Stored]:
    """Of the windows each one whose seq is a multiple of ``share``."""
    connection = await asyncpg.connect(url)
    said = await connection.fetch("select * from reasons")
    reasons = {row["id"]: orjson.loads(row["reasons"]) for row in said}
    rows = [
        _state(dict(row), reasons) for row in await connection.fetch("select * from windows where seq % $1 = 0", share)
    ]
    await connection.close()
    return {(asset_id, size, state.start): state for asset_id, size, state in rows}


async def stored(url: str) -> Tables:
    """Windows and latest states of a store."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            said = await connection.fetch("select * from reasons")
            reasons = {row["id"]: orjson.loads(row["reasons"]) for row in said}
            windows, latest = [
                [_state(dict(row), reasons) for row in await connection.fetch(f"select * from {table}")]  # noqa: S608
                for table in ("windows", "latest")
            ]
    finally:
        await connection.close()
    return (
        {(asset_id, size, state.start): state for asset_id, size, state in windows},
        {(asset_id, size): state for asset_id, size, state in latest},
    )


def _state(row: dict[str, Any], reasons: dict[int, dict[str, str]]) -> tuple[str, str, Stored]:
    asset_id, size, start = row.pop("asset_id"), row.pop("size"), row.pop("start").astimezone(UTC)
    partition, seq, final, reasons_id = (row.pop(name) for name in ("partition", "seq", "final", "reasons_id"))
    values = {name: value for name, value in row.items() if value is not None}
    state = Stored(start, partition, seq, final, values, {} if reasons_id is None else reasons[reasons_id])
    return asset_id, size, state
