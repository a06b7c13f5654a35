"""The named faults, each with its own script and its own check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.faults import broker, lateness, measured, processes, rolling, rows, topics
from tests.chaos.lab import SESSION_TIMEOUT_S
from tests.chaos.runs import Script


@dataclass(frozen=True, slots=True)
class Fault:
    """A named fault: its script, the most rows it may send, and settings of the broker and the workers."""

    injected: str
    script: Script
    rows: int = 200_000
    properties: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cluster: bool = False
    session_timeout_s: float = SESSION_TIMEOUT_S


FAULTS: dict[str, Fault] = {
    "C4": Fault(
        "kill -9 of an owner with a survivor, 20 times; session timeout 10 s",
        measured.failed_over,
        400_000,
        session_timeout_s=10.0,
    ),
    "C9": Fault("SIGTERM 50 times, at all moments", measured.stopped, 400_000),
    "C10": Fault(
        "three workers restarted one after the other by SIGTERM, five times; session timeout 10 s",
        rolling.restarted,
        100_000,
        session_timeout_s=10.0,
    ),
    "F1": Fault("kill -9 at each of five points of a fetch's way", processes.killed_at_points),
    "F2": Fault("kill -9 of all workers, data directories wiped", processes.all_killed),
    "F3": Fault("SIGSTOP for two session timeouts, SIGCONT", processes.stopped_and_continued),
    "F4": Fault("a worker joins or leaves every 3 s for a minute", processes.rebalance_storm),
    "F6": Fault("broker restarted, broker kill -9", broker.restarted),
    "F6b": Fault(
        "of three brokers the leader and the controller kill -9, five times each",
        broker.nodes_killed,
        500_000,
        cluster=True,
    ),
    "F7": Fault("broker down at the start, away for 70 s, a worker ended meanwhile", broker.away),
    "F8": Fault("500 ms latency, resets, half open, black hole", broker.bad_network),
    "F9": Fault("data directory unusable, changelog entry corrupt", topics.bad_storage, 5_000),
    "F11": Fault("every checkpoint takes 5 s more", processes.slow_sink, 50_000),
    "F12": Fault("a step that never ends", processes.hung),
    "F13": Fault("poison messages of 32 kinds", rows.poison, 0),
    "F15": Fault("gzip, snappy, lz4, zstd", rows.codecs),
    "F15b": Fault("a flipped byte in the log", topics.corrupted, 5_000),
    "F16": Fault(
        "eager compaction of the changelogs, all workers killed", topics.compacted, 200_000, topics.EAGER_CLEANER
    ),
    "F17": Fault("unprocessed rows deleted by retention, the group's offsets far ahead", topics.cut_off, 10_000),
    "F18": Fault("topics missing, misfit, recreated", topics.recreated, 5_000, topics.NO_AUTO_CREATE),
    "F18b": Fault("measurements topic from 4 to 8 partitions", topics.grown, 5_000),
    "F18c": Fault(
        "topics missing at a broker that creates what is asked for", topics.never_created, 5_000, topics.AUTO_CREATE
    ),
    "F20": Fault("messages twice, a file twice, everything again", rows.duplicates, 20_000),
    "F21": Fault("late, disordered, repeated and future stamps, gaps of days", rows.disorder, 20_000),
    "F21b": Fault(
        "the same with 60 s allowed, more rows than may wait, kill -9",
        lateness.disorder,
        40_000,
        environment=lateness.ALLOWED,
    ),
    "F22": Fault("CRC32 partitioner, keys that move", rows.foreign_partitioner),
    "F23": Fault("100 look-ups a second while owners die and sleep", processes.asked_in_trouble),
    "F24": Fault("uploads reset, stalled, overtaken by SIGTERM", rows.broken_uploads, 20_000),
    "F30": Fault("rolling upgrade over a layout, to a newer format and back", topics.upgraded, 20_000),
}
