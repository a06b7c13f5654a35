"""A Kafka of one's own, with a folder for all that the runs leave."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.kafka import KafkaProcess
from tests.kafka_jars import kafka_jars

#: The broker stamps every record when it takes it: that is how a contender's end is known.
_PROPERTIES: Final = ("log.message.timestamp.type=LogAppendTime", "log.retention.ms=-1")


@contextlib.contextmanager
def own_broker(port: int) -> Iterator[tuple[str, Path]]:
    """Start a broker, its controller on the next port; gives where it listens, and the folder."""
    # Whoever ends the bench ends all that it has started: SIGTERM is taken as Ctrl-C, which unwinds.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    jars = kafka_jars()
    if jars is None:
        sys.exit("bench needs a real Kafka: install Java 17 and Maven")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        process = KafkaProcess(jars, Path(directory) / "broker", port=port, properties=_PROPERTIES)
        try:
            process.start()
            yield process.bootstrap_servers, Path(directory)
        finally:
            process.stop()


def broker_versions() -> Sequence[str]:
    """Which Kafka it is."""
    jars = kafka_jars()
    return sorted(jar.stem for jar in jars.glob("kafka-clients-*.jar")) if jars else []
