"""When a worker that does nothing is ended; a place is where a partition stands, in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from stream_app.infra.kafka import stall
from stream_app.infra.kafka.errors import StalledError
from stream_app.infra.kafka.lease import Lease

_LIMIT_S = 60.0


class _FakeMember:
    def __init__(self) -> None:
        self.lease = Lease(1e9, lambda: 0.0)
        self.lease.renew(0.0)
        self.stopping = False
        self.failure: Exception | None = None

    def fail(self, error: Exception) -> None:
        self.failure = error


async def seconds_until_failure(monkeypatch: pytest.MonkeyPatch, places: Callable[[int], list[str]], most: int) -> int:
    """Seconds after which a member fails whose work stands at ``places(second)``; ``most`` if it does not by then."""
    member, seconds = _FakeMember(), itertools.count()
    monkeypatch.setattr(stall, "_PERIOD_S", 0)
    monkeypatch.setattr(stall, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    monkeypatch.setattr(stall, "_LONGEST_STEP_S", 3.0)
    asked = 0

    def waiting() -> list[str]:
        nonlocal asked
        asked += 1
        member.stopping = asked == most
        return places(asked)

    await stall.end_when_stalled(member, waiting, _LIMIT_S)  # type: ignore[arg-type]
    assert member.stopping or isinstance(member.failure, StalledError)
    return asked


async def test_a_worker_that_stands_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many things it has to do."""
    assert await seconds_until_failure(monkeypatch, lambda _: ["a at 0", "b at 3"], 1000) == 61


async def test_a_partition_may_wait_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another moves; but not for ever."""
    took = await seconds_until_failure(monkeypatch, lambda second: ["a at 0", f"b at {second // 40}"], 1000)
    assert took == 601


async def test_a_worker_that_moves_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow is not still, and without work it stands nowhere."""
    assert await seconds_until_failure(monkeypatch, lambda second: [f"a at {second // 50}"], 500) == 500
    assert await seconds_until_failure(monkeypatch, lambda _: [], 500) == 500
