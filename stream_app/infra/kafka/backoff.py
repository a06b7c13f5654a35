"""How long to wait before a broker that refused is asked again."""

from __future__ import annotations

from typing import Final

BACKOFF_MIN_S: Final = 0.2
_BACKOFF_MAX_S: Final = 30.0


def backoff_s(attempt: int) -> float:
    """Seconds to wait after a failed attempt; the first is number 1."""
    return min(BACKOFF_MIN_S * 2.0 ** (attempt - 1), _BACKOFF_MAX_S)
