"""A worker as a process of its own, for tests that kill it: ``python -m … '<settings as JSON>'``; SIGTERM ends it."""

from __future__ import annotations

import asyncio
import signal
import sys

from stream_app.infra.kafka.worker import Worker
from stream_app.settings import Settings
from tests.integration.kafka.counting import CountingIngest


async def main(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Worker(settings, CountingIngest).run(stop)


if __name__ == "__main__":
    asyncio.run(main(Settings.model_validate_json(sys.argv[1])))
