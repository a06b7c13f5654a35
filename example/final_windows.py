"""Final windows only, exactly once into a database: the offsets stand in the same transaction as the rows.

usage: python -m example.final_windows DATABASE [HOST:PORT [TOPIC]]

Start it as often as there are partitions: all share the work, and one that is killed is replaced. SQLite stands for any
database with transactions.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

GROUP = "final-windows"
_TABLES = """
CREATE TABLE IF NOT EXISTS windows (
    asset_id TEXT, size TEXT, start TEXT, "end" TEXT, seq INTEGER, energy_in_kwh REAL, energy_out_kwh REAL,
    PRIMARY KEY (asset_id, size, start)
);
CREATE TABLE IF NOT EXISTS positions (topic TEXT, "partition" INTEGER, next INTEGER, PRIMARY KEY (topic, "partition"));
"""
# A repetition has the same seq, and changes nothing.
_PUT = """
INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET "end" = excluded."end", seq = excluded.seq,
    energy_in_kwh = excluded.energy_in_kwh, energy_out_kwh = excluded.energy_out_kwh
WHERE excluded.seq > seq
"""


class Database:
    """Final windows, and from which offset on each partition is to be read."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._connection.executescript(_TABLES)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")  # the lock first: what is read then stays true until the end
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def position(self, at: TopicPartition) -> int | None:
        """Next offset of a partition; None: nothing of it was read."""
        found = self._connection.execute('SELECT next FROM positions WHERE topic = ? AND "partition" = ?', at)
        row = found.fetchone()
        return None if row is None else row[0]

    def take(self, at: TopicPartition, records: Sequence[Any]) -> None:
        """Take records of a partition and move its position, both or neither.

        Records below the position are left out. So a consumer that has lost the partition and does not know it yet
        writes nothing twice.
        """
        with self._transaction():
            position = self.position(at) or 0
            rows = final_rows(record for record in records if record.offset >= position)
            self._connection.executemany(_PUT, rows)
            end = max(position, records[-1].offset + 1)
            self._connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", (*at, end))


def final_rows(records: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows of the final updates: others are left out by their header, and not parsed."""
    for record in records:
        headers = dict(record.headers)
        if headers["final"] == b"true" and headers["size"] != b"lifetime":
            update = json.loads(record.value)
            window, metrics = update["window"], update["metrics"]
            energies = [metrics[name]["value"] for name in ("energy_in_kwh", "energy_out_kwh")]
            yield update["asset_id"], window["size"], window["start"], window["end"], update["seq"], *energies


class FromDatabase(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Begins each partition where the database says, not where Kafka does."""

    def __init__(self, consumer: AIOKafkaConsumer, database: Database) -> None:
        self._consumer, self._database = consumer, database

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is to be done: each batch was a transaction."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Seek."""
        for at in assigned:
            position = self._database.position(at)
            if position is None:
                await self._consumer.seek_to_beginning(at)
            else:
                self._consumer.seek(at, position)


async def follow(database: Database, servers: str, topic: str) -> None:
    """Take all final windows of the topic, until cancelled.

    Raises
    ------
    OffsetOutOfRangeError
        Records were deleted by age before they were read. They are lost to the database, so somebody has to decide.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="none"
    )
    consumer.subscribe([topic], listener=FromDatabase(consumer, database))
    async with consumer:
        while True:
            with suppress(NoOffsetForPartitionError):  # of a partition that is just being sought
                for at, records in (await consumer.getmany(timeout_ms=1000)).items():
                    database.take(at, records)


def main(path: str, servers: str = "127.0.0.1:9092", topic: str = "metrics") -> None:
    """Run until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(Database(path), servers, topic))


if __name__ == "__main__":
    main(*sys.argv[1:])
