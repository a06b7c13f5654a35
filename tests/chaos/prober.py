"""Asks the workers continuously and records every forbidden answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

Process = tuple[str, int]  # URL and how often it was started

_TIMEOUT_S = 8.0
_UNDER_WAY = 40


class AnswerCheck:
    """Checks each answer against the earlier ones. Pure: fed by :class:`Prober` or by a test."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.newest: dict[tuple[Process, str], tuple[int, int]] = {}
        self.kinds: Counter[str] = Counter()
        self.violations: list[str] = []

    def before(self, process: Process, asset_id: str) -> tuple[bool, tuple[int, int]]:
        """Lower bound for an answer that is requested now: whether the asset is known, and its seq and rows."""
        return asset_id in self.seen, self.newest.get((process, asset_id), (-1, 0))

    def answered(  # the question, its lower bound, and the answer
        self, process: Process, asset_id: str, known: tuple[bool, tuple[int, int]], answer: httpx.Response
    ) -> None:
        """Check an answer."""
        was_seen, (seq, rows) = known
        who = f"{process[0]} (start {process[1]}) on {asset_id}"
        self.kinds[str(answer.status_code)] += 1
        match answer.status_code:
            case 200:
                self._found(process, asset_id, (was_seen, seq, rows), answer.json())
            case 503:
                if "retry-after" not in answer.headers:
                    self.violations.append(f"{who}: 503 without Retry-After")
            case 404 if not was_seen:
                pass
            case status:
                self.violations.append(f"{who}: {status} of an asset that had been seen: {answer.text[:300]}")

    def _found(self, process: Process, asset_id: str, known: tuple[bool, int, int], body: Mapping[str, Any]) -> None:
        was_seen, seq, rows = known
        now = (body["meta"]["seq"], body["rows"])
        who = f"{process[0]} (start {process[1]}) on {asset_id}, answered by {body['meta']['owner']}"
        if was_seen and not body["rows"]:
            self.violations.append(f"{who}: no rows of an asset that had some")
        if now[0] < seq or now[1] < rows:
            self.violations.append(f"{who}: seq {now[0]} with {now[1]} rows after seq {seq} with {rows}")
        if body["rows"]:
            self.seen.add(asset_id)
        key = (process, asset_id)
        self.newest[key] = max(now, self.newest.get(key, now))


class Prober:
    """Asks some worker about some asset, ``rate`` times a second."""

    def __init__(
        self, processes: Callable[[], Sequence[Process]], assets: Sequence[str], *, rate: float, seed: int
    ) -> None:
        self._processes, self._assets, self._rate = processes, assets, rate
        self._random = random.Random(seed)
        self.check = AnswerCheck()

    async def run(self) -> None:
        """Ask until cancelled."""
        limits = httpx.Limits(max_connections=_UNDER_WAY * 2)
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits) as client, asyncio.TaskGroup() as group:
            asking: set[asyncio.Task[None]] = set()
            while True:
                await asyncio.sleep(1 / self._rate)
                for process in self._random.sample(known := self._processes(), min(1, len(known))):
                    if len(asking) < _UNDER_WAY:
                        task = group.create_task(self._ask(client, process, self._random.choice(self._assets)))
                        asking.add(task)
                        task.add_done_callback(asking.discard)

    async def _ask(self, client: httpx.AsyncClient, process: Process, asset_id: str) -> None:
        known = self.check.before(process, asset_id)
        try:
            answer = await client.get(f"{process[0]}/api/v1/assets/{asset_id}")
        except httpx.TransportError as error:
            self.check.kinds[type(error).__name__] += 1
            return
        if process in self._processes():  # otherwise another process may have answered on its port
            self.check.answered(process, asset_id, known, answer)
