"""``stream-app worker``: one process of the consumer group."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream_app.commands.options import Broker, settings_from
from stream_app.errors import ExpectedError
from stream_app.server_address import servers

if TYPE_CHECKING:
    from stream_app.infra.kafka.worker import Worker

#: After the worker has stopped, its process has this long to end by itself.
_LINGER_S: Final = 3.0
#: An address that no host has (RFC 5737): the way to it is the one to other networks.
_ELSEWHERE: Final = ("192.0.2.1", 9)


def worker(
    *,
    broker: Broker = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [STREAM_HTTP__HOST]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[STREAM_HTTP__PORT]")] = None,
    advertise: Annotated[
        str | None,
        typer.Option(metavar="URL|auto", help="How other workers reach this one [STREAM_HTTP__ADVERTISED_URL]"),
    ] = None,
) -> None:
    """Run a worker until Ctrl-C or SIGTERM: it then writes a last checkpoint and leaves the group."""
    from stream_app.infra.http.early import EarlyAnswers, listening_socket

    settings = settings_from(kafka={"bootstrap_servers": broker}, http={"host": host, "port": port})
    if advertise == "auto":
        # An address that the deployment has set is better than one that is guessed.
        advertise = settings.http.advertised_url
        if advertise is None:
            address = _own_address(settings.kafka.bootstrap_servers)
            advertise = f"{settings.http.url.partition(':')[0]}://{address}:{settings.http.port}"
    if advertise is not None:
        http = settings.http.model_copy(update={"advertised_url": advertise.rstrip("/")})
        settings = settings.model_copy(update={"http": http})
    settings.require_access()
    listener = listening_socket(settings.http.host, settings.http.port)
    # Over TLS connections wait until the worker can greet them.
    early = [] if settings.http.tls is not None else [EarlyAnswers(listener)]
    monitoring: socket.socket | None = None
    if settings.http.monitoring_port is not None:
        monitoring = listening_socket(settings.http.monitoring_host, settings.http.monitoring_port)
        early.append(EarlyAnswers(monitoring))
    for each in early:
        each.start()

    from stream_app.bootstrap import build_worker
    from stream_app.infra.telemetry import configure_logging
    from stream_app.warm_up import warm_up

    configure_logging(settings.log_level, json=settings.log_json, secrets=settings.secrets())
    catalogue = warm_up()
    for each in early:
        each.stop()
    asyncio.run(_run(partial(build_worker, settings, catalogue, listener, monitoring)))


async def _run(build: Callable[[], Worker]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    error: Exception | None = None
    try:
        await build().run(stop)
    except Exception as raised:
        error = raised
        raise
    finally:
        from stream_app.infra.process import end_process  # heavy, as all that a worker imports

        # All is done: a thread of a library that hangs must not keep the process.
        linger = threading.Timer(_LINGER_S, end_process, [0 if error is None else 1, error])
        linger.daemon = True
        linger.start()


def _own_address(kafka: str) -> str:
    """Address at which others reach this host.

    That of its name, which in a container is the container's; where the name means this host alone, as Debian writes
    it to /etc/hosts, the one by which it reaches Kafka, or else other networks.
    """
    name = socket.gethostname()
    told = "has no address"
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pass
    else:
        if not ip_address(address).is_loopback:
            return address
        told = f"means {address}"
    for host, port in (*servers(kafka), _ELSEWHERE):
        found = _address_towards(host, port)
        if found is not None:
            return found
    msg = f"--advertise auto: this host's name {name!r} {told}, and no network is reached from it: give the URL"
    raise ExpectedError(msg)


def _address_towards(host: str, port: int) -> str | None:
    """Address that this host has on the way to another one; None: it is this host itself, or there is no way."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))  # chooses the way; nothing is sent
            address: str = probe.getsockname()[0]
    except OSError:
        return None
    return None if ip_address(address).is_loopback else address
