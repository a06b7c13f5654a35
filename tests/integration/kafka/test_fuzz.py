"""Random records among good rows: good rows are exact, every other record is a dead letter or counts as it would."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.settings import KafkaSettings
from tests.fuzz.run import fuzz
from tests.kafka import Broker

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_others_write_good_rows_are_exact(
    real_broker: Broker, kafka_settings: KafkaSettings, tmp_path: Path, seed: int
) -> None:
    """``python -m tests.fuzz`` does the same with 100,000 records and any seed."""
    findings, line = await fuzz(kafka_settings, tmp_path, seed, 3000)
    assert findings.ok, "\n".join((line, *(text[:1000] for text in findings.summary_lines())))
