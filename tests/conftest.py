"""How tests run: HYPOTHESIS_PROFILE=ci tries each property with many examples, NUMBA_DISABLE_JIT=1 compiles nothing."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The speed of a machine must not decide whether a test passes.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _UNTIMED, max_examples=10)
settings.register_profile("ci", _UNTIMED, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Let integers wrap in functions that are not compiled as silently as they do in machine code."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered in scalar:RuntimeWarning")
