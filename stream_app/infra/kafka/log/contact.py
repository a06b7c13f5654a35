"""Whether Kafka answers, and if it does not, why: asked of each bootstrap server until one serves."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.infra.kafka.errors import AccessError, AdvertisedAddressError, BrokerUnavailableError
from stream_app.infra.kafka.log.access import connection, security_options
from stream_app.server_address import servers
from stream_app.settings import KafkaSettings

_TCP_S: Final = 2.0
_PROTOCOL: Final = "STREAM_KAFKA__SECURITY_PROTOCOL"
_ALERT_S: Final = 0.5
_MECHANISMS: Final = frozenset({"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"})


async def probe(kafka: KafkaSettings) -> None:
    """Connect to any of the bootstrap servers, and say nothing to it.

    Raises
    ------
    BrokerUnavailableError
        None of them accepts a connection. (aiokafka would log an error at each try; a bare connection does not.)
    """
    for host, port in servers(kafka.bootstrap_servers):
        if await _refusal(host, port) is None:
            return
    raise BrokerUnavailableError(kafka.bootstrap_servers)


async def reach(kafka: KafkaSettings) -> None:
    """Have a bootstrap server answer, and find one of the brokers that it names.

    Raises
    ------
    BrokerUnavailableError
        None answers, or none that it names can be reached: waiting may help.
    AccessError
        A server answers, but lets this client in only with other settings of TLS or SASL.
    """
    unreachable: AdvertisedAddressError | None = None
    denied: AccessError | None = None
    for host, port in servers(kafka.bootstrap_servers):
        try:
            advertised = await _advertised(kafka, host, port)
        except AccessError as error:
            denied = denied or error
            continue
        if advertised is None:
            continue
        refusals = await asyncio.gather(*(_refusal(*address) for address in advertised))
        if not advertised or None in refusals:
            return
        names = [f"{name}:{number}" for name, number in advertised]
        unreachable = unreachable or AdvertisedAddressError(f"{host}:{port}", names, str(refusals[0]))
    raise denied or unreachable or BrokerUnavailableError(kafka.bootstrap_servers)


async def _refusal(host: str, port: int) -> str | None:
    """Why a bare connection cannot be made; None: it can."""
    try:
        async with asyncio.timeout(_TCP_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer within {_TCP_S:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    writer.transport.abort()  # nothing was said, and nobody waits for a farewell
    return None


async def _advertised(kafka: KafkaSettings, host: str, port: int) -> list[tuple[str, int]] | None:
    """Addresses of the brokers that a server names; None: it does not answer."""
    if await _refusal(host, port) is not None:
        return None
    server = f"{host}:{port}"
    try:
        async with connection(kafka, host, port) as opened:
            metadata = await opened.send(MetadataRequest([]))
    except ssl.SSLCertVerificationError as error:
        raise AccessError(server, _untrusted(error)) from None
    except SaslAuthenticationFailed as error:
        if (mechanism := await _other_mechanism(kafka, host, port)) is not None:
            raise AccessError(
                server,
                f"has no credential of user {kafka.sasl_username!r} for {kafka.sasl_mechanism}, but one for "
                f"{mechanism}: set STREAM_KAFKA__SASL_MECHANISM to {mechanism}, or add the credential "
                "(kafka-configs.sh --alter --entity-type users)",
            ) from None
        raise AccessError(
            server,
            f"refuses user {kafka.sasl_username!r} ({error}): correct STREAM_KAFKA__SASL_USERNAME, "
            f"STREAM_KAFKA__SASL_PASSWORD (or its file) or STREAM_KAFKA__SASL_MECHANISM ({kafka.sasl_mechanism})",
        ) from None
    except (OSError, KafkaError, TimeoutError):
        reason = await _mismatch(kafka, host, port)
        if reason is None:
            return None
        raise AccessError(server, reason) from None
    return [(broker[1], broker[2]) for broker in metadata.brokers]


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    cure = "name the certificate of the authority that has signed it in STREAM_KAFKA__SSL_CAFILE"
    if "match" in error.verify_message:
        cure = (
            "use a name of the certificate in STREAM_KAFKA__BOOTSTRAP_SERVERS, or set "
            "STREAM_KAFKA__SSL_CHECK_HOSTNAME=false where the network is trusted"
        )
    elif "expired" in error.verify_message:
        cure = "renew it, and check this host's clock"
    return f"has a certificate that is not trusted ({error.verify_message}): {cure}"


async def _mismatch(kafka: KafkaSettings, host: str, port: int) -> str | None:
    """Which other protocol a server speaks, and the setting; None: there is no evidence, it may be starting."""
    sasl = kafka.security_protocol.startswith("SASL_")
    speaks_tls, alert = await _tls_answer(kafka, host, port)
    if speaks_tls and not kafka.uses_tls:
        return f"speaks TLS, and is asked without: set {_PROTOCOL} to {'SASL_SSL' if sasl else 'SSL or SASL_SSL'}"
    if alert is not None and "CERTIFICATE" in alert:
        return (
            f"does not accept this client's certificate ({alert}): set STREAM_KAFKA__SSL_CERTFILE and "
            "STREAM_KAFKA__SSL_KEYFILE to one that its authority has signed"
        )
    mechanisms: list[str] | None = None
    with suppress(OSError, KafkaError, TimeoutError):
        tls: dict[str, Any] = {} if speaks_tls else {"ssl_context": None}
        protocol = "SSL" if speaks_tls else "PLAINTEXT"
        async with connection(kafka, host, port, security_protocol=protocol, **tls) as opened:
            if kafka.uses_tls and not speaks_tls:
                plain = "SASL_PLAINTEXT" if sasl else "PLAINTEXT or SASL_PLAINTEXT"
                return f"speaks no TLS, and is asked with it: set {_PROTOCOL} to {plain}"
            answer = await opened.send(SaslHandShakeRequest(kafka.sasl_mechanism or "PLAIN"))
            if answer.error_code == IllegalSaslStateError.errno:
                mechanisms = []
            elif answer.error_code in {0, UnsupportedSaslMechanismError.errno}:
                mechanisms = sorted(answer.enabled_mechanisms)
    if mechanisms and not sasl:
        secured = "SASL_SSL" if kafka.uses_tls else "SASL_PLAINTEXT"
        return f"asks for a user (SASL: {', '.join(mechanisms)}), and was told none: set {_PROTOCOL} to {secured}"
    if mechanisms and kafka.sasl_mechanism not in mechanisms:
        known = ", ".join(mechanisms)
        return f"knows {known}, but not {kafka.sasl_mechanism}: set STREAM_KAFKA__SASL_MECHANISM to one that it knows"
    if mechanisms == [] and sasl:
        return f"asks for no user (SASL): set {_PROTOCOL} to {'SSL' if kafka.uses_tls else 'PLAINTEXT'}"
    return None


async def _other_mechanism(kafka: KafkaSettings, host: str, port: int) -> str | None:
    """Mechanism by which a server that has refused the user lets it in with the same password; None: there is none."""
    with suppress(OSError, KafkaError, TimeoutError):
        plain = {"security_protocol": "SSL" if kafka.uses_tls else "PLAINTEXT"}
        async with connection(kafka, host, port, **plain) as opened:
            answer = await opened.send(SaslHandShakeRequest("PLAIN"))
        for mechanism in sorted(answer.enabled_mechanisms, reverse=True):
            # PLAIN tells the password itself to who listens.
            is_safe = mechanism != "PLAIN" or kafka.uses_tls
            if mechanism in _MECHANISMS and mechanism != kafka.sasl_mechanism and is_safe:
                with suppress(OSError, KafkaError, TimeoutError):
                    async with connection(kafka, host, port, sasl_mechanism=mechanism):
                        return str(mechanism)
    return None


async def _tls_answer(kafka: KafkaSettings, host: str, port: int) -> tuple[bool, str | None]:
    """Whether a server speaks TLS, and the alert that it sends to this client, if any."""
    context = security_options(kafka).get("ssl_context") or ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing but the greeting is said
    try:
        async with asyncio.timeout(_TCP_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        reason = error.reason or ""
        return "ALERT" in reason, reason
    except (OSError, TimeoutError):
        return False, None
    try:
        async with asyncio.timeout(_ALERT_S):
            await reader.read(1)  # who misses the client's certificate says so after the greeting
    except ssl.SSLError as error:
        return True, error.reason
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()  # a farewell over TLS would outlive who asks
    return True, None
