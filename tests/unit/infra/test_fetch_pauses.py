"""Pauses between fetches: a node that answers too soon and with nothing is asked less and less often, others soon."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stream_app.infra.kafka.log.fetch_pauses import EmptyAnswers, Spacing


@dataclass
class Answer:
    """A fetch response: one partition of one topic, with the bytes of its records."""

    records: bytes

    @property
    def topics(self) -> list[tuple[str, list[tuple[int, int, int, bytes]]]]:
        return [("t", [(0, 0, 7, self.records)])]


EMPTY, FULL, LARGE = Answer(b""), Answer(b"records"), Answer(bytes(1 << 20))


def test_pauses_grow_to_a_limit_and_begin_anew_with_data() -> None:
    """The first pause is short, the longest 0.2 s, after seconds; data end them at once."""
    empty = EmptyAnswers()
    pauses_s = [empty.pause_s(1, EMPTY, 0.5) for _ in range(40)]
    assert pauses_s[0] <= 0.001
    assert sum(pause_s for pause_s in pauses_s if pause_s <= 0.1) > 0.5
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[-1] == 0.2
    assert empty.pause_s(1, FULL, 0.5) == 0
    assert empty.pause_s(1, EMPTY, 0.5) == pauses_s[0]


@pytest.mark.parametrize("left_s", [0.0, -0.1])
def test_a_broker_that_waited_itself_is_asked_at_once(left_s: float) -> None:
    """Kafka holds an empty answer for as long as it is asked to: no pause is added to that, ever."""
    empty = EmptyAnswers()
    assert [empty.pause_s(1, EMPTY, left_s) for _ in range(20)] == [0.0] * 20


def test_no_pause_is_longer_than_the_rest_of_the_wait() -> None:
    """An answer that came a little too soon costs no more than that little."""
    empty = EmptyAnswers()
    assert max(empty.pause_s(1, EMPTY, 0.0005) for _ in range(20)) == 0.0005


def test_nodes_are_apart() -> None:
    """A busy node is not held up by an idle one."""
    empty = EmptyAnswers()
    idle_s = [empty.pause_s(1, EMPTY, 0.5) for _ in range(5)]
    assert empty.pause_s(2, EMPTY, 0.5) == idle_s[0] < idle_s[-1]


def test_fetches_that_bring_little_are_apart() -> None:
    """The next begins 20 ms after such a one began; what took longer, or brought much or nothing, holds up none."""
    spacing = Spacing()
    assert spacing.wait_s(1, 10.0) == 0
    spacing.answered(1, FULL, asked_s=10.0)
    assert spacing.wait_s(1, 10.005) == pytest.approx(0.015)
    assert spacing.wait_s(2, 10.005) == 0
    assert spacing.wait_s(1, 10.02) == spacing.wait_s(1, 11.0) == 0
    for answer in (LARGE, EMPTY):
        spacing.answered(1, FULL, asked_s=20.0)
        spacing.answered(1, answer, asked_s=20.001)
        assert spacing.wait_s(1, 20.002) == 0
