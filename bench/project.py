"""The project itself as a contender: ``stream-app worker`` as in production.

It computes all metrics; its settings only say where things are.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import httpx

from bench.contenders import EVERY_ROW, FORM_NAMES, Contender, Job
from bench.environments import ROOT, BuildError
from bench.ledger import Reading, own_update
from bench.workload import ASSETS
from stream_app.settings import Settings

_POLL_S: Final = 0.2
#: The default.
_NEW_ASSETS_PER_MIN: Final = Settings.model_fields["max_new_assets_per_min"].default
_PATIENCE_S: Final = 30.0
_CLI: Final = (sys.executable, "-m", "stream_app")


class ThisProject(Contender):
    """One worker."""

    name = "stream-app"
    title = "this project"
    limits = dict.fromkeys(FORM_NAMES, EVERY_ROW)
    held = True

    def command(self, job: Job) -> list[str]:
        ensured = subprocess.run(
            [*_CLI, "topics", "ensure"], env=self.environment(job), check=False, capture_output=True, text=True
        )
        if ensured.returncode != 0:
            raise BuildError(ensured.stderr[-500:])
        return [*_CLI, "worker"]

    def read(self, value: bytes) -> Reading | None:
        return own_update(value)

    def topics(self, job: Job) -> list[str]:
        return []

    def versions(self) -> Sequence[str]:
        return [f"{name}=={version(name)}" for name in ("faust-streaming", "aiokafka", "msgspec", "numpy", "orjson")]

    def environment(self, job: Job) -> dict[str, str]:
        names = {
            "KAFKA__BOOTSTRAP_SERVERS": job.broker,
            "KAFKA__APP_ID": job.run,
            "KAFKA__MEASUREMENTS_TOPIC": job.input,
            "KAFKA__METRICS_TOPIC": job.output,
            "KAFKA__DEAD_LETTER_TOPIC": f"{job.run}-dlq",
            "HTTP__PORT": str(job.http_port),
            "DATA_DIR": str(job.directory),
            # All of a fleet begin at once here, which a deployment allows in the same way.
            "MAX_NEW_ASSETS_PER_MIN": str(max(_NEW_ASSETS_PER_MIN, len(job.rows.assets))),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAM_")}
        return {**inherited, "PYTHONPATH": str(ROOT), **{f"STREAM_{name}": value for name, value in names.items()}}

    async def confirm(self, job: Job) -> list[str]:
        """Look assets up over HTTP, all of them or the first hundred, until the worker says that nothing is missing."""
        deadline = time.monotonic() + _PATIENCE_S
        due = min(ASSETS, len(job.rows.assets)) * job.rows.per_asset
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{job.http_port}", timeout=10) as client:
            while True:
                answered = await self._answered(client)
                if answered == (0, due):
                    return []
                if time.monotonic() > deadline:
                    return [f"GET /api/v1/assets says lag and rows {answered}, not (0, {due})"]
                await asyncio.sleep(_POLL_S)

    async def _answered(self, client: httpx.AsyncClient) -> tuple[int | None, int] | None:
        """Lag, and rows of the assets on the first page; None while it does not answer."""
        try:
            answer = await client.get("/api/v1/assets", params={"limit": ASSETS})
        except httpx.TransportError:
            return None
        if answer.status_code != 200:
            return None
        page = answer.json()
        return page["meta"]["lag"], sum(asset["rows"] for asset in page["assets"])
