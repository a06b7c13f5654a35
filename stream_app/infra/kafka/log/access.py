"""How Kafka is reached: the options of every client of the program, and finding brokers again that have moved."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.errors import ExpectedError
from stream_app.server_address import servers
from stream_app.settings import KafkaSettings

_log = logging.getLogger(__name__)

#: A broker that takes longer to answer is taken for one that is away.
ANSWER_S: Final = 5.0
_SEARCH_EVERY_S: Final = 1.0
_FAREWELL_S: Final = 1.0


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Options that every aiokafka client of the program is made with: servers, TLS and SASL.

    Raises
    ------
    ExpectedError
        A file that a setting names cannot be used; the message names the setting.
    """
    return {"bootstrap_servers": kafka.bootstrap_servers, **security_options(kafka)}


def security_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Options of TLS and SASL alone, as :func:`client_options` has them."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.uses_tls:
        options["ssl_context"] = _tls(kafka)
    if kafka.sasl_mechanism is not None:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": _password(kafka),
        }
    return options


def _password(kafka: KafkaSettings) -> str:
    if kafka.sasl_password is not None:
        return kafka.sasl_password.get_secret_value()
    path = kafka.sasl_password_file
    try:
        return path.read_text("utf-8").rstrip("\r\n") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        msg = f"STREAM_KAFKA__SASL_PASSWORD_FILE: cannot read {path} ({_reason(error)}): correct the path or the file"
        raise ExpectedError(msg) from None


def _tls(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
    except OSError as error:
        msg = (
            f"STREAM_KAFKA__SSL_CAFILE: cannot use {kafka.ssl_cafile} ({_reason(error)}): name a PEM file with the "
            "certificate of the authority that has signed the broker's"
        )
        raise ExpectedError(msg) from None
    context.check_hostname = kafka.ssl_check_hostname
    if kafka.ssl_certfile is not None:
        secret = kafka.ssl_keyfile_password
        password = "" if secret is None else secret.get_secret_value()  # with None OpenSSL would ask the terminal
        try:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, password)
        except OSError as error:
            msg = (
                f"STREAM_KAFKA__SSL_CERTFILE, STREAM_KAFKA__SSL_KEYFILE: cannot use {kafka.ssl_certfile} and "
                f"{kafka.ssl_keyfile or 'the key in it'} ({_reason(error)}): both are PEM files, and an encrypted key "
                "needs STREAM_KAFKA__SSL_KEYFILE_PASSWORD"
            )
            raise ExpectedError(msg) from None
    return context


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__


@asynccontextmanager
async def connection(kafka: KafkaSettings, host: str, port: int, **instead: Any) -> AsyncGenerator[AIOKafkaConnection]:
    """Open a connection to one server, with TLS and SASL as they are set, and close it.

    It is closed when this ends, not a moment later: a caller's event loop may end with it.

    Raises
    ------
    OSError, KafkaError, TimeoutError
        The server cannot be reached, refuses, or does not answer.
    """
    options = security_options(kafka) | instead
    opened = AIOKafkaConnection(host, port, client_id=kafka.app_id, request_timeout_ms=int(ANSWER_S * 1000), **options)
    try:
        await opened.connect()
        yield opened
    finally:
        closed = opened.close()
        if opened._protocol is not None:  # it was connected, whether or not it was let in
            await asyncio.wait([closed], timeout=_FAREWELL_S)


def find_again(client: AIOKafkaClient, kafka: KafkaSettings) -> None:
    """Let a client that has started ask the bootstrap servers again when no broker that it knows answers (KIP-899).

    aiokafka asks them once. A cluster that came back under other addresses of the list would never be found.
    """
    update, searched_at = client._metadata_update, -_SEARCH_EVERY_S

    async def update_or_search(cluster: Any, topics: Collection[str] | None) -> bool:
        nonlocal searched_at
        if await update(cluster, topics):
            return True
        if time.monotonic() - searched_at < _SEARCH_EVERY_S:
            return False
        searched_at = time.monotonic()
        for host, port in servers(kafka.bootstrap_servers):
            try:
                async with connection(kafka, host, port) as found:
                    metadata = await found.send(MetadataRequest(list(topics) if topics else None))
            except (OSError, KafkaError, TimeoutError, ExpectedError) as error:
                _log.debug("no broker is found again at %s:%d: %s", host, port, error)
                continue
            if metadata.brokers:
                cluster.update_metadata(metadata)
                return True
        return False

    client._metadata_update = update_or_search
