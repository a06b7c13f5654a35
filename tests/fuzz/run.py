"""A fuzz run: topics, a worker, records, and the comparison."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings
from tests.chaos import checks
from tests.chaos.findings import Findings
from tests.e2e.workers import WorkerProcess
from tests.fuzz import verdict
from tests.fuzz.records import records
from tests.fuzz.sending import Sender
from tests.integration.kafka.running import read
from tests.integration.kafka.test_whole_fetches import fetches_of

_DRAIN_S = 120.0
_COUNTED = re.compile(r'^stream_rejected_rows_total\{code="(\w+)"[^}]*\} (\S+)$', re.MULTILINE)


async def fuzz(kafka: KafkaSettings, directory: Path, seed: int, count: int) -> tuple[Findings, str]:
    """Send ``count`` records to a worker and compare; returns the findings and a line about the run."""
    findings = Findings()
    await topics.ensure(kafka)
    async with topics.admin_client(kafka) as admin:  # Kafka's own check of times would refuse some of the records
        any_time = {
            "message.timestamp.after.max.ms": str((1 << 63) - 1),
            "max.message.bytes": str(topics.RECORD_MAX_BYTES),
        }
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, kafka.measurements_topic, any_time)])
    worker = WorkerProcess(kafka, directory).start(STREAM_ALLOWED_LATENESS_S="0")  # as the plain computation has it
    try:
        await asyncio.to_thread(worker.ready)
        began = time.monotonic()
        sender = Sender(kafka, seed)
        await sender.send(records(seed, count))
        rows = await _drained(worker, sender, findings)
        took_s = time.monotonic() - began
        letters = verdict.letters_of(await fetches_of(kafka, kafka.dead_letter_topic))
        updates = checks.read_updates(await read(kafka, kafka.metrics_topic), findings)
        codes = verdict.check(sender.visible, sender.aborted, letters, updates, rows, findings)
        status = worker.status("/health/ready")
        if status != 200:
            findings.contradict(f"worker: it answers {status} to /health/ready")
        counted = {code: float(n) for code, n in _COUNTED.findall(worker.text("/metrics"))}
        if {code for code, n in counted.items() if n} != set(codes):
            findings.contradict(f"metrics: rejects are counted as {counted}, the letters are {dict(codes)}")
        return findings, _line(seed, sender, findings, codes, took_s)
    finally:
        if worker.is_alive():
            worker.kill()


def _line(seed: int, sender: Sender, findings: Findings, codes: Counter[str], took_s: float) -> str:
    told = " ".join(f"{code}={count}" for code, count in sorted(codes.items()))
    return (
        f"seed={seed} records={len(sender.visible)} aborted={len(sender.aborted)} rows={findings.rows} "
        f"letters={codes.total()} ({told}) seconds={took_s:.0f} {'ok' if findings.ok else 'FAILED'}"
    )


async def _drained(worker: WorkerProcess, sender: Sender, findings: Findings) -> dict[str, int]:
    """Wait until the worker has reached the topic's end; rows by asset."""
    deadline = time.monotonic() + _DRAIN_S
    while time.monotonic() < deadline:
        if not worker.is_alive():
            findings.contradict(f"worker: it has ended: {worker.log.read_text()[-1000:]}")
            return {}
        if worker.status("/health/ready") == 200:
            page = worker.get("/api/v1/assets", params={"limit": 1000})
            if page["meta"]["lag"] == 0:
                return {item["asset_id"]: item["rows"] for item in page["assets"] if item["rows"]}
        await asyncio.sleep(0.2)
    findings.contradict(f"worker: it has not reached the end of the topic within {_DRAIN_S:.0f} s")
    return {}
