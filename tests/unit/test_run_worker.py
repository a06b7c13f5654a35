"""The address that ``--advertise auto`` finds."""

from __future__ import annotations

import socket

import pytest

from stream_app.commands import run_worker
from stream_app.errors import ExpectedError

SERVERS = "kafka-1:9092,kafka-2:9092"


def name_means(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    def by_name(_: str) -> str:
        if address is None:
            raise socket.gaierror(-2, "Name or service not known")
        return address

    monkeypatch.setattr(socket, "gethostname", lambda: "host-1")
    monkeypatch.setattr(socket, "gethostbyname", by_name)


def test_the_address_of_the_host_s_name_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container it is the container's."""
    name_means(monkeypatch, "10.1.2.3")
    monkeypatch.setattr(run_worker, "_address_towards", lambda host, port: "10.9.9.9")
    assert run_worker._own_address(SERVERS) == "10.1.2.3"


@pytest.mark.parametrize("of_name", ["127.0.1.1", None])
def test_a_name_that_means_the_host_alone(monkeypatch: pytest.MonkeyPatch, of_name: str | None) -> None:
    """The way to Kafka tells, then that to other networks; without both it is said."""
    name_means(monkeypatch, of_name)
    ways: dict[str, str | None] = {"kafka-1": "10.1.2.4", "kafka-2": None, "192.0.2.1": "10.1.2.5"}
    monkeypatch.setattr(run_worker, "_address_towards", lambda host, port: ways[host])
    assert run_worker._own_address(SERVERS) == "10.1.2.4"
    ways["kafka-1"] = None
    assert run_worker._own_address(SERVERS) == "10.1.2.5"
    ways["192.0.2.1"] = None
    with pytest.raises(ExpectedError, match=r"'host-1' .* give the URL"):
        run_worker._own_address(SERVERS)


def test_the_way_to_this_host_is_no_address_for_others() -> None:
    """Neither is one that is not there."""
    assert run_worker._address_towards("127.0.0.1", 9) is None
    assert run_worker._address_towards("no.such.host.invalid", 9) is None
