"""Files sent to the upload API continuously; each accepted file must end in SUCCESS with exact counts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.findings import Findings
from tests.chaos.history import History
from tests.chaos.traffic import START_S

CAPACITY_AH = 94.0
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An upload that a worker answered with 202."""

    task_id: str
    rows: int

    @property
    def asset_id(self) -> str:
        """The asset that the upload became."""
        return f"upload-{self.task_id}"


def csv_file(rows: int, seed: int) -> bytes:
    """A CSV file with one row a second."""
    dice = random.Random(seed)
    lines = ["timestamp,current,voltage,soc"]
    soc = 50.0
    for i in range(rows):
        current = round(40 * (1 if i // 600 % 2 else -1) + dice.gauss(0, 5), 1)
        soc += current / CAPACITY_AH / 36
        lines.append(f"{START_S + i},{current},{round(816 + 1.8 * soc + 0.12 * current, 1)},{round(soc, 2)}")
    return "\n".join(lines).encode()


class Uploader:
    """Sends a file every few seconds to some worker, during all faults."""

    def __init__(self, urls: Callable[[], Sequence[str]], history: History, *, every_s: float, seed: int) -> None:
        self._urls, self._history, self._every_s = urls, history, every_s
        self._random = random.Random(seed)
        self.accepted: list[Accepted] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set, then wait for open requests."""
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
        """Send one file; None if no worker answered."""
        files = {"data": ("a.csv", csv_file(rows, rows), "text/csv")}
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


def check_task(worker: str, upload: Accepted, status: dict[str, Any], findings: Findings) -> None:
    """An accepted upload has succeeded, with as many rows as the file."""
    who = f"{worker} {upload.asset_id}"
    if status["state"] != "SUCCESS":
        findings.contradict(f"uploads: {who} was accepted and is {status['state']}: {status['error']}")
        return
    findings.count(f"uploads at {worker}", upload.asset_id, upload.rows, status["data"]["total_data_points"])
    if (sent := status["progress"]["rows_sent"]) != upload.rows or status["progress"]["rows_rejected"]:
        findings.contradict(f"uploads: {who} had {upload.rows} rows: {status['progress']} ({sent} sent)")
