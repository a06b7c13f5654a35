from __future__ import annotations

import pytest

from stream_app.infra.kafka.errors import ClockError
from stream_app.infra.kafka.member import GroupMember
from stream_app.infra.kafka.neighbours import conflict_of

OWN = GroupMember("b", "http://127.0.0.1:8000", "10.0.0.1")


@pytest.mark.parametrize(
    ("url", "host", "told"),
    [
        ("http://127.0.0.1:8000", "10.0.0.2", "2 workers of the group have the URL http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "10.0.0.1", "2 workers of the group have the URL http://127.0.0.1:8000"),
        ("http://127.0.0.1:8001", "10.0.0.2", "is good for its own host only"),
        ("http://10.0.0.2:8000", "10.0.0.2", "is good for its own host only"),
        ("http://127.0.0.1:8001", "10.0.0.1", ""),
        ("http://localhost:8001", "10.0.0.1", ""),
    ],
)
def test_urls_that_others_cannot_use_are_told(url: str, host: str, told: str) -> None:
    """One URL of two workers, and a loopback URL among several hosts; other ports of one host are right."""
    conflict, _ = conflict_of(OWN, [OWN, GroupMember("a", url, host)])
    assert told in conflict
    assert bool(told) == bool(conflict)


def test_an_address_of_its_own_is_right_wherever_the_others_are() -> None:
    """A worker with a reachable URL is not the one to be mended."""
    own = GroupMember("b", "http://10.0.0.1:8000", "10.0.0.1")
    assert conflict_of(own, [own, OWN, GroupMember("c", "http://10.0.0.2:8000", "10.0.0.2")]) == ("", False)


def test_of_two_the_first_id_is_the_same_for_both() -> None:
    """Both see the same order, so one of them ends before the other."""
    other = GroupMember("a", OWN.url, "10.0.0.2")
    assert (conflict_of(OWN, [OWN, other])[1], conflict_of(other, [OWN, other])[1]) == (False, True)


@pytest.mark.parametrize(
    ("newest_s", "told"),
    [(1_000.0, "2:00:00 ahead of the newest record"), (15_400.0, "2:00:00 behind the newest record"), (None, "broker")],
)
def test_a_wrong_clock_is_told_with_the_distance(newest_s: float | None, told: str) -> None:
    """The message names the clock, what it says, and by how much it is off as far as that is known."""
    said = str(ClockError(8_200.0, newest_s))
    assert "its clock says 1970-01-01T02:16:40+00:00" in said
    assert told in said
