"""Which answers of the group's coordinator prove a membership."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import NodeNotReadyError

from stream_app.infra.kafka.engine.heartbeats import renew_by_heartbeats
from stream_app.infra.kafka.lease import Lease
from tests.unit.clock import Clock

_LOADING = 14


@dataclass
class Coordinator:
    """aiokafka's coordinator as far as heartbeats need it; its broker's answers are set by a test."""

    group_id: str = "app"
    generation: int = 7
    member_id: str = "me"
    accepts: bool = True
    code: int = 0
    is_gone: bool = False
    asked: list[str] = field(default_factory=list)
    is_reset_meanwhile: bool = False

    async def _do_heartbeat(self) -> bool:
        self.asked.append("heartbeat")
        if self.is_reset_meanwhile:
            self.reset_generation()
        return self.accepts

    def reset_generation(self) -> None:
        self.generation, self.member_id = -1, ""

    async def _send_req(self, request: Any) -> Any:
        self.asked.append("describe")
        if self.is_gone:
            raise NodeNotReadyError
        return SimpleNamespace(groups=[(self.code, self.group_id, "Stable", "", "", [])])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> Lease:
    return Lease(5.0, clock)


@pytest.fixture
def coordinator(lease: Lease) -> Coordinator:
    made = Coordinator()
    renew_by_heartbeats(lease, made)
    return made


async def test_heartbeats_renew_the_lease(coordinator: Coordinator, lease: Lease, clock: Clock) -> None:
    """From when they were sent; the coordinator is asked nothing else while they follow one another."""
    for _ in range(3):
        assert await coordinator._do_heartbeat()
        assert lease.remaining_s() == 5.0
        clock.now_s += 2
    assert coordinator.asked == ["describe", "heartbeat", "heartbeat", "heartbeat"]


async def test_a_coordinator_that_loads_the_group_proves_nothing(
    coordinator: Coordinator, lease: Lease, clock: Clock
) -> None:
    """It accepts the heartbeat of whoever asks: after an outage no such answer renews the lease."""
    await coordinator._do_heartbeat()
    clock.now_s += 18
    for coordinator.is_gone, coordinator.code in ((True, 0), (False, _LOADING)):
        coordinator.asked.clear()
        assert not await coordinator._do_heartbeat()
        assert coordinator.asked == ["describe"]
        assert lease.remaining_s() <= 0
    coordinator.code = 0
    assert await coordinator._do_heartbeat()
    assert lease.remaining_s() == 5.0


async def test_after_a_heartbeat_that_failed_the_coordinator_may_be_another(
    coordinator: Coordinator, lease: Lease, clock: Clock
) -> None:
    """The lease still runs, and is not made longer by one that loads."""
    await coordinator._do_heartbeat()
    clock.now_s += 1
    coordinator.accepts = False
    assert not await coordinator._do_heartbeat()
    coordinator.accepts, coordinator.code = True, _LOADING
    assert not await coordinator._do_heartbeat()
    assert lease.remaining_s() == 4.0


async def test_a_reset_ends_the_lease(coordinator: Coordinator, lease: Lease) -> None:
    """Whatever request the coordinator has answered with it: a commit too."""
    await coordinator._do_heartbeat()
    coordinator.reset_generation()
    assert lease.remaining_s() == 0
    assert coordinator.generation == -1


async def test_a_heartbeat_of_a_member_that_was_reset_meanwhile(coordinator: Coordinator, lease: Lease) -> None:
    """Its answer is about a membership that is over."""
    coordinator.is_reset_meanwhile = True
    assert await coordinator._do_heartbeat()
    assert lease.remaining_s() == 0
