"""Addresses of Kafka servers as people write them, and how they must be."""

from __future__ import annotations

import re
from typing import Final

_NAMED_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_NUMBERED_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]")


def servers(addresses: str) -> list[tuple[str, int]]:
    """Host and port of each of some addresses, with commas between, each as :func:`require_server` has it."""
    parts = (address.strip().rpartition(":") for address in addresses.split(","))
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def require_server(address: str) -> None:
    """Raise ValueError unless an address is ``host:port``."""
    bare = address.rpartition("://")[2].rstrip("/")
    if not address:
        msg = "an address is empty: write host:port, several with commas between"
    elif "://" in address:
        msg = f"write {bare!r} instead of {address!r}; how to connect is set by STREAM_KAFKA__SECURITY_PROTOCOL"
    elif address.startswith("[") and '"' in address:
        msg = f"write the addresses without JSON's brackets and quotes, as host:port,host:port, instead of {address!r}"
    elif re.search(r"[\s;]", address):
        msg = f"{address!r} is not one address: write several as host:port,host:port"
    elif address.count(":") > 1 and not address.startswith("["):
        msg = f"write an IPv6 address in brackets with a port, as [::1]:9092, instead of {address!r}"
    else:
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            msg = f"{address!r} has no port: write '{bare.rstrip(':')}:9092' (9092 is Kafka's usual port)"
        elif not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            msg = f"the port of {address!r} must be a number from 1 to 65535: write '{host or 'host'}:9092'"
        elif not (_NUMBERED_HOST.fullmatch(host) or _NAMED_HOST.fullmatch(host)):
            msg = f"{host!r} in {address!r} is not the name or address of a host: write host:port"
        else:
            return
    raise ValueError(msg)
