"""The fault suite's live part: real workers, a real broker, seeded faults, every row counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.pool import one
from tests.chaos.runs import MIXED
from tests.kafka_jars import kafka_jars

#: Other ports than those of ``python -m tests.chaos``: both may run at the same time.
PORT = 19700
ROWS = 60_000


@pytest.fixture(scope="session")
def own_kafka() -> None:
    """Skip without the jars of Kafka: a shared broker cannot be killed."""
    if kafka_jars() is None:
        needs = "needs a real Kafka of its own: install Java 17 and Maven"
        if os.environ.get("STREAM_TEST_REQUIRE_KAFKA") == "1":
            pytest.fail(f"STREAM_TEST_REQUIRE_KAFKA=1, but the fault suite {needs}")
        pytest.skip(needs)


@pytest.mark.kafka
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("own_kafka")
@pytest.mark.parametrize(("name", "seed"), [(MIXED, 3), (MIXED, 5), ("F3", 1)])
def test_every_row_counts_once_under_faults(name: str, seed: int, tmp_path: Path) -> None:
    """No row is lost or doubled and no promise is broken, whatever the seed does to workers, broker and network."""
    outcome = one(name, seed, ROWS, tmp_path, PORT)
    assert outcome.findings.ok, "\n".join((outcome.line(), *(line[:1000] for line in outcome.findings.summary_lines())))
    assert outcome.findings.rows > 0
    assert outcome.faults > 0
