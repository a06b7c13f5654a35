"""A topic of some quarters of a year: each window open, then closed, with 15 % of replays of older states."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tests.unit.usecases.site import START_S, Site

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SIZE_S = 900
PARTITIONS = 4
_REPLAYED_OF = 20_000  # a worker that crashes repeats what it wrote last


def tails() -> list[bytes]:
    """What updates of real windows say, from their metrics on."""
    site = Site()
    site.add("a", {"control": "asset_spec", "spec": {"nominal_capacity_ah": 94}})
    for i in range(2400):
        stamp = datetime.fromtimestamp(START_S + i * 2, UTC).isoformat().replace("+00:00", "Z")
        soc, current = 50 + 40 * math.sin(i / 300), 60 * math.cos(i / 300)
        row = {"timestamp": stamp, "current": round(current, 3), "voltage": round(750 + soc, 2), "soc": round(soc, 1)}
        site.add("a", row | {"temperature": round(25 + math.sin(i / 90), 1)})
    site.ingest.apply(site.fetch())
    updates = [update.value for update in site.written().updates]
    return [update[update.index(b'"metrics":') :] for update in updates]


@dataclass
class Stream:
    """Updates, and what is left of them: the seq and the tail of each window."""

    assets: int
    windows: int
    tails: list[bytes] = field(default_factory=tails)
    newest: dict[tuple[str, datetime], int] = field(default_factory=dict)
    written: int = 0

    def content(self, seq: int) -> dict[str, Any]:
        """Metrics of an update."""
        metrics: dict[str, Any] = orjson.loads(b"{" + self.tails[seq % len(self.tails)])["metrics"]
        return metrics

    def updates(self) -> Iterator[tuple[int, bytes]]:
        """Partition and value of each."""
        chosen = random.Random(7)
        recent: list[tuple[int, bytes]] = []
        seq = 0
        for window in range(self.windows):
            start = BEGIN + timedelta(seconds=window * SIZE_S)
            for final in (False, True):
                for asset in range(self.assets):
                    seq += 1
                    one = asset % PARTITIONS, self._update(asset, start, seq, final=final)
                    self.newest[f"bess-{asset:05}", start] = seq
                    recent.append(one)
                    self.written += 1
                    yield one
                    if chosen.random() < 0.15 / 0.85:
                        self.written += 1
                        yield chosen.choice(recent)
            if len(recent) > 2 * _REPLAYED_OF:
                del recent[:_REPLAYED_OF]

    def _update(self, asset: int, start: datetime, seq: int, *, final: bool) -> bytes:
        head = (
            f'{{"asset_id":"bess-{asset:05}","partition":0,"window":{{"size":"15m","start":"{_iso(start)}",'
            f'"end":"{_iso(start + timedelta(seconds=SIZE_S))}"}},"seq":{seq},"final":{"true" if final else "false"},'
        )
        return head.encode() + self.tails[seq % len(self.tails)]


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
