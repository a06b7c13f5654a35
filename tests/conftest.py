"""How many examples a property is tried with: a few at a desk, many where HYPOTHESIS_PROFILE=ci is set."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The speed of a machine must not decide whether a test passes.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _UNTIMED, max_examples=10)
settings.register_profile("ci", _UNTIMED, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
