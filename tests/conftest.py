"""How tests run: HYPOTHESIS_PROFILE says how properties are tried, NUMBA_DISABLE_JIT=1 compiles nothing.

``quick`` (default) and ``search`` try new examples each time, few and very many; ``ci`` tries many, always the same
ones: whether a change passes does not depend on luck.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The speed of a machine must not decide whether a test passes.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _UNTIMED, max_examples=10)
settings.register_profile("ci", _UNTIMED, max_examples=200, derandomize=True)
settings.register_profile("search", _UNTIMED, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Let integers wrap in functions that are not compiled as silently as they do in machine code."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered in scalar:RuntimeWarning")
