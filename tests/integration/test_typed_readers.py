"""Readers with one type for all values read every update of the flat form, as other people's code reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stream_app.wire.encode.updates import UpdateForm
from tests.contract.test_update_schemas import BOTH, FLAT, NESTED, published
from tests.kafka_jars import kafka_jars
from tests.readers.installed import FOLDER, flink_jars


def run_java(program: str, jars: Path, updates: list[bytes]) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("javac") is None:
        pytest.skip("needs a JDK: the reader is compiled from source")
    command = ["java", "-cp", f"{jars}/*", str(FOLDER / f"{program}.java")]
    return subprocess.run(command, input=b"\n".join(updates), capture_output=True, check=False)


def jars_of(program: str) -> Path:
    """Flink's, or Kafka's, which have Jackson among them."""
    if program == "FlinkReader":
        return flink_jars()
    jars = kafka_jars()
    if jars is None:
        pytest.skip("needs Java 17 and Maven")
    return jars


def expected(update: dict[str, Any]) -> dict[str, Any]:
    start = datetime.fromisoformat(update["window"]["start"])
    return {
        "asset_id": update["asset_id"],
        "size": update["window"]["size"],
        "start_ms": round(start.timestamp() * 1000),
        "seq": update["seq"],
        "final": update["final"],
        "values": update["values"],
    }


@pytest.mark.parametrize("program", ["FlinkReader", "JacksonReader"])
@pytest.mark.parametrize("form", [FLAT, BOTH], ids=["flat", "both"])
def test_a_typed_reader_reads_every_update(program: str, form: UpdateForm) -> None:
    """A map of text to double: every name and number arrives, nulls are absent."""
    updates = published(form)
    run = run_java(program, jars_of(program), updates)
    assert run.returncode == 0, run.stderr.decode()
    assert [json.loads(line) for line in run.stdout.splitlines()] == [expected(json.loads(each)) for each in updates]


def test_a_typed_reader_refuses_the_nested_form() -> None:
    """So the flat one is needed."""
    nested = [update.replace(b'"metrics":', b'"values":') for update in published(NESTED)]
    assert run_java("FlinkReader", flink_jars(), nested).returncode != 0
