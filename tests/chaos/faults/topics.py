"""Faults of topics and stored state: compacted, truncated, deleted, recreated, corrupt, of another release."""

from __future__ import annotations

import asyncio
import shutil
import struct
import time
from dataclasses import astuple
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.topics import Topics
from tests.chaos.faults.load import await_exit, await_progress, note_recovery, row_count, under_load
from tests.chaos.final_check import drain_and_check
from tests.chaos.lab import Lab
from tests.chaos.runs import Outcome
from tests.chaos.traffic import fleet
from tests.chaos.truth import Truth
from tests.e2e.workers import ROOT
from tests.integration.kafka.running import producing, read

NO_AUTO_CREATE = ("auto.create.topics.enable=false",)
AUTO_CREATE = ("auto.create.topics.enable=true",)
EAGER_CLEANER = ("log.cleaner.backoff.ms=500", "log.retention.check.interval.ms=1000")
_EAGER = {
    "segment.ms": "1000",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
}


async def bad_storage(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F9: a data directory that is a file, then a garbage entry in the changelog: the log names both."""
    blocked = lab.directory / "a-file"
    blocked.write_text("no directory")
    lab.start(0, STREAM_DATA_DIR=str(blocked / "data"))
    await await_exit(lab, 0, 40, str(blocked))
    outcome.faults += 1
    lab.start(0)
    await lab.ready(0)
    await lab.produce(fleet(lab.options.seed, rows))
    note_recovery(outcome, await drain_and_check(lab))
    await lab.terminate(0)
    changelog = Topics.of(lab.kafka).assets_changelog
    async with producing(lab.kafka) as producer:
        await producer.send_and_wait(changelog, b"\x01garbage", key=b"bess-000", partition=1)
    lab.start(0)
    await await_exit(lab, 0, 60, changelog, "partition 1")
    outcome.faults += 1


async def compacted(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F16: the changelogs are compacted as eagerly as possible; workers without data recover all state."""
    names = Topics.of(lab.kafka)
    async with lab.admin() as admin:
        await admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": "compact", **_sizes(), **_EAGER})
                for name in names.changelogs
            ]
        )
    async with under_load(lab, outcome, rows):
        for _ in range(3):
            await asyncio.sleep(8)
            before = await row_count(lab, 1)
            for slot in (0, 1):
                lab.kill(slot)
                shutil.rmtree(lab.data_directory(slot), ignore_errors=True)
            for slot in (0, 1):
                lab.start(slot)
            note_recovery(outcome, await await_progress(lab, 0, before))
            outcome.faults += 1
    kept = await read(lab.kafka, names.assets_changelog)
    written = sum({record.partition: record.offset + 1 for record in kept}.values())
    lab.history.add("compacted", kept=len(kept), written=written)
    if len(kept) > 0.5 * written:
        lab.findings.contradict(f"the broker has not compacted: {len(kept)} of {written} entries are left")


def _sizes() -> dict[str, str]:
    return {"max.message.bytes": str(topics.RECORD_MAX_BYTES + (64 << 10))}


async def cut_off(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F17: retention deletes rows before they are processed, offsets are deleted: logged and counted."""
    source, messages = lab.kafka.measurements_topic, fleet(lab.options.seed, rows)
    half = len(messages) // 2
    lab.start(0)
    await lab.ready(0)
    await lab.produce(messages[:half])
    await drain_and_check(lab)
    await lab.terminate(0)
    await _commit(lab, 10**9)
    processed = await read(lab.kafka, source)
    await lab.produce(messages[half:])
    everything = await read(lab.kafka, source)
    ends_at = Truth().take(processed).ends
    cut = {partition: end + 50 for partition, end in ends_at.items()}
    async with lab.admin() as admin:
        await admin.delete_records({TopicPartition(source, p): RecordsToDelete(offset) for p, offset in cut.items()})
    surviving = [r for r in everything if r.offset < ends_at[r.partition] or r.offset >= cut[r.partition]]
    lab.acked.clear()  # the script deleted them, the broker did not lose them
    lab.start(0)
    outcome.recovery_s = await drain_and_check(lab, records=everything, truth=Truth().take(surviving), regular=False)
    outcome.faults = 2
    for partition, end in ends_at.items():
        if f"offsets {end} to {cut[partition] - 1}" not in lab.log(0):
            lab.findings.contradict(f"the log does not say that offsets {end} to {cut[partition] - 1} are gone")
    answer = await asyncio.to_thread(lab.workers[0].text, "/metrics")
    told = [line for line in answer.splitlines() if line.startswith("stream_skipped_messages_total{")]
    if sum(float(line.rsplit(" ", 1)[1]) for line in told) != 50 * len(cut):
        lab.findings.contradict(f"/metrics does not count the {50 * len(cut)} skipped messages: {told}")


async def _commit(lab: Lab, offset: int) -> None:
    """Set the group's offsets from outside."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=lab.kafka.bootstrap_servers, group_id=lab.kafka.app_id, enable_auto_commit=False
    )
    await consumer.start()
    partitions = [TopicPartition(lab.kafka.measurements_topic, number) for number in range(lab.kafka.partitions)]
    consumer.assign(partitions)
    await consumer.commit({partition: OffsetAndMetadata(offset, "") for partition in partitions})
    await consumer.stop()


async def recreated(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F18: topics are missing, misfit, grow, are recreated: the worker ends with the defect and its cure."""
    names = Topics.of(lab.kafka)
    async with lab.admin() as admin:
        await admin.delete_topics([names.metrics])
        await asyncio.sleep(1)
    await _refused(lab, outcome, 30, names.metrics, "missing", "topics ensure")
    await topics.ensure(lab.kafka)
    async with lab.admin() as admin:
        await admin.delete_topics([names.assets_changelog])
        await asyncio.sleep(1)
        await admin.create_topics(
            [NewTopic(names.assets_changelog, 2, 1, topic_configs={"cleanup.policy": "compact", **_sizes()})]
        )
    await _refused(lab, outcome, 30, names.assets_changelog, "2 partition", "must be equal")
    async with lab.admin() as admin:
        await admin.delete_topics([names.assets_changelog])
        await asyncio.sleep(1)
    await topics.ensure(lab.kafka)
    lab.start(0)
    await lab.ready(0)
    await lab.produce(fleet(lab.options.seed, rows))
    note_recovery(outcome, await drain_and_check(lab))
    async with lab.admin() as admin:  # while the worker runs
        await admin.delete_topics([names.measurements])
        await asyncio.sleep(1)
    lab.history.add("source deleted")
    await topics.ensure(lab.kafka)
    lab.acked.clear()
    await lab.produce(fleet(lab.options.seed + 1, 200))
    await await_exit(lab, 0, 60, names.measurements, "recreated")
    outcome.faults += 1
    lab.start(0)
    await await_exit(lab, 0, 60, names.measurements, "recreated")
    outcome.faults += 1


async def never_created(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F18c: all topics are missing, then each, at a broker that creates topics on request: a worker creates none."""
    names = list(astuple(Topics.of(lab.kafka)))
    async with lab.admin() as admin:
        await admin.describe_topics(["asked-for"])
        await lab.until(lambda: _existing(admin, "asked-for"), {"asked-for"}, "the broker creates what is asked for")
        for missing in (names, *([name] for name in names)):
            await admin.delete_topics(missing)
            await lab.until(lambda m=missing: _existing(admin, *m), set(), "the topics are deleted")
            await _refused(lab, outcome, 30, *(f"topic '{name}' is missing" for name in missing), "topics ensure")
            if (status := lab.workers[0].returncode) != 1:
                lab.findings.contradict(f"without {missing} the worker ended with status {status}")
            if created := await _existing(admin, *missing):
                lab.findings.contradict(f"a worker that refuses has created {created}")
            await topics.ensure(lab.kafka)
    for slot in (0, 1):
        lab.start(slot)
    await lab.ready(0, 1)
    await lab.produce(fleet(lab.options.seed, rows))
    note_recovery(outcome, await drain_and_check(lab))


async def _existing(admin: AIOKafkaAdminClient, *names: str) -> set[str]:
    return set(names) & set(await admin.list_topics())


async def grown(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F18b: the measurements topic gets more partitions than the changelogs: refused with the cure."""
    names = Topics.of(lab.kafka)
    lab.start(0)
    await lab.ready(0)
    await lab.produce(fleet(lab.options.seed, rows))
    note_recovery(outcome, await drain_and_check(lab))
    async with lab.admin() as admin:
        await admin.create_partitions({names.measurements: NewPartitions(total_count=8)})
    await await_exit(lab, 0, 90, names.measurements, "8")
    outcome.faults += 1
    await _refused(lab, outcome, 30, names.assets_changelog, "4 partition", "must be equal")


async def _refused(lab: Lab, outcome: Outcome, timeout_s: float, *said: str) -> None:
    lab.start(0)
    await await_exit(lab, 0, timeout_s, *said)
    outcome.faults += 1


async def upgraded(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F30: a release with one metric fewer, this one, a newer one that writes another format, and back."""
    older, newer = lab.directory / "older", lab.directory / "newer"
    for tree in (older, newer):
        for package in ("stream_app", "schemas"):
            shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    (older / "stream_app/domain/metrics/c_rate.py").unlink()
    snapshot = newer / "stream_app/domain/snapshot.py"
    text = snapshot.read_text()
    assert "\nFORMAT = 2\n" in text, "the fault suite changes the format to be a newer release"
    snapshot.write_text(text.replace("\nFORMAT = 2\n", "\nFORMAT = 3\n"))
    messages = fleet(lab.options.seed, rows)
    third = len(messages) // 3
    lab.start(0, PYTHONPATH=str(older), PYTHONSAFEPATH="1")
    lab.start(1, PYTHONPATH=str(older), PYTHONSAFEPATH="1")
    await lab.ready(0, 1)
    await lab.produce(messages[:third])
    for slot in (0, 1):  # one by one, as a deployment rolls
        await lab.terminate(slot)
        lab.start(slot)
        await lab.ready(slot)
        outcome.faults += 1
    await lab.produce(messages[third : 2 * third])
    note_recovery(outcome, await _rows_counted(lab, 0))
    for slot in (0, 1):
        await lab.terminate(slot)
    lab.start(0, PYTHONPATH=str(newer), PYTHONSAFEPATH="1")
    await lab.ready(0)
    await lab.produce(messages[2 * third :])
    note_recovery(outcome, await _rows_counted(lab, 0))
    await lab.terminate(0)
    outcome.faults += 1
    lab.start(0)
    await await_exit(lab, 0, 60, "format 3")
    outcome.faults += 1


async def _rows_counted(lab: Lab, slot: int) -> float:
    """Wait until a worker counts all rows of the topic; the releases differ in metrics, not in rows."""
    truth = Truth().take(await read(lab.kafka, lab.kafka.measurements_topic))
    lab.findings.rows = truth.rows
    took_s = await await_progress(lab, slot, truth.rows - 1)
    lab.findings.count("answers", "all assets together", truth.rows, await row_count(lab, slot))
    return took_s


async def corrupted(lab: Lab, outcome: Outcome, rows: int) -> None:
    """F15b: a byte of the log flips: the worker notices the checksum, ends and names the place."""
    lab.start(0)
    await lab.ready(0)
    await lab.produce(fleet(lab.options.seed, rows))
    note_recovery(outcome, await drain_and_check(lab))
    await lab.terminate(0)
    mark = struct.pack(">d", time.time()).hex().encode()
    async with producing(lab.kafka) as producer:
        done = await producer.send_and_wait(
            lab.kafka.measurements_topic, b'{"x":"' + mark + b'"}', key=b"x", partition=2
        )
    await lab.stop_broker()
    await asyncio.to_thread(_flip, lab.directory / "broker/log" / f"{lab.kafka.measurements_topic}-2", mark)
    await lab.start_broker()
    lab.start(0)
    place = f"{lab.kafka.measurements_topic!r} partition 2 is damaged at offset {done.offset}"
    await await_exit(lab, 0, 60, place, "kafka-delete-records")
    outcome.faults += 1


def _flip(directory: Path, mark: bytes) -> None:
    for file in directory.glob("*.log"):
        content = bytearray(file.read_bytes())
        at = content.find(mark)
        if at >= 0:
            content[at] ^= 1
            file.write_bytes(content)
            return
    msg = f"{mark!r} is in no log of {directory}"
    raise AssertionError(msg)
