from __future__ import annotations

from typing import Any, cast

import pytest

from stream_app.infra.kafka import stall
from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError, LeftOutError
from stream_app.infra.kafka.lease import Lease
from stream_app.infra.kafka.member import Member


class Outsider:
    """A member that the group never lets in."""

    def __init__(self) -> None:
        self.lease, self.stopping, self.error = Lease(1.0), False, cast(Exception | None, None)

    def fail(self, error: Exception) -> None:
        self.error = error


async def watched(member: Outsider, answers: list[Exception | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch until the answers of the bootstrap servers are used up: None is an answer, then the member stops."""
    monkeypatch.setattr(stall, "_ASK_EVERY_S", 0.01)

    async def reach() -> None:
        answer = answers.pop(0)
        member.stopping = not answers
        if answer is not None:
            raise answer

    await stall.end_when_left_out(
        cast(Member, member), reach, lambda since_s: LeftOutError("a:1", "g", since_s, "no"), 0.015
    )


@pytest.mark.parametrize(
    ("answers", "ends"),
    [
        ([None] * 9, LeftOutError),
        ([BrokerUnavailableError("a:1")] * 9, None),
        ([AccessError("a:1", "refuses")], AccessError),
    ],
)
async def test_time_out_of_the_group_counts_while_kafka_answers(
    answers: list[Any], ends: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is away ends nobody; one that answers others, or lets nobody in, does."""
    member = Outsider()
    await watched(member, answers, monkeypatch)
    assert type(member.error) is (type(None) if ends is None else ends)
