"""Fixtures of the browser tests: the broker is shared with the other suites."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load the broker's fixtures."""
    config.pluginmanager.import_plugin("tests.kafka_fixtures")
