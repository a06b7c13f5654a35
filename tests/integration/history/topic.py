"""A topic of updates with replays, as workers that crash leave it: whole stretches come again, with their old seq."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

import orjson

from tests.contract.test_update_schemas import NESTED, published


@lru_cache(maxsize=1)
def templates() -> list[dict[str, object]]:
    """Updates that the service wrote, of closed and open windows and lifetimes."""
    return [orjson.loads(value) for value in published(NESTED)]


def updates(assets: int, states: int, *, seed: int = 1) -> Iterator[tuple[int, bytes]]:
    """Partition and value of each update: of each window some states, in order, with 15 % of replays between."""
    chosen = random.Random(seed)
    written: list[tuple[int, bytes]] = []
    for state in range(states):
        for asset in range(assets):
            for number, template in enumerate(templates()):
                update = template | {"asset_id": f"{template['asset_id']}-{asset:03}", "seq": 1000 * state + number}
                metrics = dict(template["metrics"])  # type: ignore[call-overload]  # orjson's Any, kept as an object
                metrics["total_data_points"] = {"value": 1000 * state + asset, "unit": "1"}
                one = asset % 4, orjson.dumps(update | {"metrics": metrics})
                written.append(one)
                yield one
                if chosen.random() < 0.15:
                    yield chosen.choice(written)
