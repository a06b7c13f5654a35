"""Fixtures of the monitoring's tests: a real Prometheus and a real Alertmanager, with the rules that are shipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.monitoring.stack import Stack


def pytest_configure(config: pytest.Config) -> None:
    """Load the broker's fixtures; suites that run in one session share them, and so the broker."""
    config.pluginmanager.import_plugin("tests.kafka_fixtures")


def require_prometheus() -> None:
    """Skip the test on a machine without Prometheus; where everything is to be tested, fail."""
    missing = [name for name in ("prometheus", "promtool", "prometheus-alertmanager") if shutil.which(name) is None]
    if missing:
        told = f"needs {', '.join(missing)}: install Debian's prometheus and prometheus-alertmanager"
        if os.environ.get("STREAM_TEST_REQUIRE_KAFKA") == "1":
            pytest.fail(told)
        pytest.skip(told)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Started before the worker, so that it sees the worker's first second; ended in the end."""
    require_prometheus()
    with Stack(tmp_path) as started:
        yield started
