"""A clock that tests set."""

from __future__ import annotations


class Clock:
    """Seconds, which stand still unless a test moves them."""

    now_s = 1000.0

    def __call__(self) -> float:
        """The time now [s]."""
        return self.now_s
