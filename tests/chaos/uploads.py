"""Files sent to the batch API all the time; each that was accepted must end in SUCCESS with exact counts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.history import History
from tests.chaos.traffic import START_S
from tests.chaos.verdict import Verdict

CAPACITY_AH = 94.0
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An upload that a worker answered with 202."""

    task_id: str
    rows: int

    @property
    def asset_id(self) -> str:
        """The asset that it became."""
        return f"upload-{self.task_id}"


def a_file(rows: int, seed: int) -> bytes:
    """Rows of one second as CSV."""
    dice = random.Random(seed)
    lines = ["timestamp,current,voltage,soc"]
    soc = 50.0
    for i in range(rows):
        current = round(40 * (1 if i // 600 % 2 else -1) + dice.gauss(0, 5), 1)
        soc += current / CAPACITY_AH / 36
        lines.append(f"{START_S + i},{current},{round(816 + 1.8 * soc + 0.12 * current, 1)},{round(soc, 2)}")
    return "\n".join(lines).encode()


class Uploader:
    """Sends a file every few seconds to some worker, through whatever happens."""

    def __init__(self, urls: Callable[[], Sequence[str]], history: History, *, every_s: float, seed: int) -> None:
        self._urls, self._history, self._every_s = urls, history, every_s
        self._random = random.Random(seed)
        self.accepted: list[Accepted] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; what is under way then is waited for."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client, asyncio.TaskGroup() as group:
            while not stop.is_set():
                rows = self._random.randint(200, 1500)
                if urls := self._urls():
                    group.create_task(self.send(client, self._random.choice(urls), rows))
                try:
                    await asyncio.wait_for(stop.wait(), self._every_s)
                except TimeoutError:
                    continue

    async def send(self, client: httpx.AsyncClient, url: str, rows: int, **headers: str) -> httpx.Response | None:
        """Send one file; None: no answer."""
        files = {"data": ("a.csv", a_file(rows, rows), "text/csv")}
        try:
            answer = await client.post(
                f"{url}/api/v1/metrics", files=files, data={"nominal_capacity": str(CAPACITY_AH)}, headers=headers
            )
        except httpx.TransportError as error:
            self._history.add("upload", url=url, rows=rows, error=repr(error))
            return None
        self._history.add("upload", url=url, rows=rows, status=answer.status_code, answer=answer.text[:200])
        if answer.status_code == 202:
            self.accepted.append(Accepted(answer.json()["task_id"], rows))
        return answer


def check_task(worker: str, upload: Accepted, status: dict[str, Any], verdict: Verdict) -> None:
    """An accepted upload has succeeded, with as many rows as the file."""
    who = f"{worker} {upload.asset_id}"
    if status["state"] != "SUCCESS":
        verdict.contradict(f"uploads: {who} was accepted and is {status['state']}: {status['error']}")
        return
    verdict.count(f"uploads at {worker}", upload.asset_id, upload.rows, status["data"]["total_data_points"])
    if (sent := status["progress"]["rows_sent"]) != upload.rows or status["progress"]["rows_rejected"]:
        verdict.contradict(f"uploads: {who} had {upload.rows} rows: {status['progress']} ({sent} sent)")
