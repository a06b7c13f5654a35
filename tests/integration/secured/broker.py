"""A real Kafka with users, certificates and rights: a listener of each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from stream_app.infra.kafka.errors import AccessError, BrokerUnavailableError
from stream_app.infra.kafka.log.access import connection
from stream_app.infra.kafka.log.contact import reach
from stream_app.infra.kafka.log.rights import Right
from stream_app.settings import KafkaSettings
from tests.kafka import KafkaProcess, settings_for
from tests.ports import free_port

ADMIN, USER, CERTIFIED = "admin", "app", "worker"
SECRET, WRONG = "secret-of-app", "no-such-secret"
_SECRETS: Final = {ADMIN: "secret-of-admin", USER: SECRET}
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
#: Numbers of Kafka's protocol.
_KINDS: Final = {"topic": 2, "group": 3}
_OPERATIONS: Final = {"Read": 3, "Write": 4, "Describe": 8}
_LITERAL, _ALLOW = 3, 3


@dataclass(frozen=True, slots=True)
class Secured:
    """Ports of the listeners; ``files`` has the certificates.

    Parameters
    ----------
    plain
        Whoever comes here may do everything.
    tls
        Wants a certificate.
    user
        Wants a user and a password, over TLS.
    elsewhere
        Its clients are sent to where nobody answers.
    """

    plain: int
    tls: int
    user: int
    elsewhere: int
    files: Path

    def settings(self, port: int, **changes: Any) -> KafkaSettings:
        """Settings with topics of their own at a listener."""
        return KafkaSettings(**(settings_for(f"127.0.0.1:{port}").model_dump() | changes))

    def as_user(self, name: str = USER, **changes: Any) -> KafkaSettings:
        """As a user with a password."""
        given = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": name,
            "sasl_password": _SECRETS.get(name, SECRET),
            "ssl_cafile": self.files / "ca.pem",
        }
        return self.settings(self.user, **(given | changes))

    def as_certified(self, **changes: Any) -> KafkaSettings:
        """As somebody with a certificate."""
        given = {
            "security_protocol": "SSL",
            "ssl_cafile": self.files / "ca.pem",
            "ssl_certfile": self.files / "client.pem",
        }
        return self.settings(self.tls, **(given | changes))

    def as_everybody(self, kafka: KafkaSettings) -> KafkaSettings:
        """The same topics and group, at the listener where everything is allowed."""
        names = {name: getattr(kafka, name) for name in ("measurements_topic", "metrics_topic", "dead_letter_topic")}
        return self.settings(self.plain, app_id=kafka.app_id, **names)

    async def grant(self, principal: str, rights: Sequence[Right]) -> None:
        """Allow a principal what is named, and nothing else."""
        async with connection(self.settings(self.plain), "127.0.0.1", self.plain) as opened:
            for right in rights:
                for operation in right.operations:
                    request = CreateAclsRequest(
                        *(_KINDS[right.kind], right.name, _LITERAL, f"User:{principal}", "*"),
                        *(_OPERATIONS[operation], _ALLOW),
                    )
                    answer = await opened.send(request)
                    assert answer.creation_responses[0][0] == 0, answer


@contextmanager
def secured_broker(jars: Path, files: Path) -> Iterator[Secured]:
    """Start it: SCRAM-SHA-512 over TLS, client certificates, StandardAuthorizer."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(files / "ca.pem")
    trustme.CA().cert_pem.write_to_path(files / "foreign.pem")
    authority.issue_cert("worker@example.org", common_name=CERTIFIED).private_key_and_cert_chain_pem.write_to_path(
        files / "client.pem"
    )
    trustme.CA().issue_cert("worker@example.org").private_key_and_cert_chain_pem.write_to_path(files / "stranger.pem")
    _write_store(authority.issue_cert("broker.example", "127.0.0.1"), files / "store.pem")
    plain, tls, user, elsewhere = (free_port() for _ in range(4))
    names = {"PLAINTEXT": plain, "TLS": tls, "USER": user, "ELSEWHERE": elsewhere}
    told = names | {"ELSEWHERE": free_port()}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in names.items())
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in told.items())
    process = KafkaProcess(
        jars,
        files / "broker",
        port=plain,
        properties=[
            f"listeners={listeners},CONTROLLER://127.0.0.1:{plain + 1}",
            f"advertised.listeners={advertised}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,USER:SASL_SSL,"
            "ELSEWHERE:PLAINTEXT",
            "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
            f"listener.name.user.scram-sha-256.sasl.jaas.config={_SCRAM}",
            f"listener.name.user.scram-sha-512.sasl.jaas.config={_SCRAM}",
            "listener.name.tls.ssl.client.auth=required",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={files / 'store.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={files / 'ca.pem'}",
            "ssl.principal.mapping.rules=RULE:^CN=([^,]+),.*$/$1/,DEFAULT",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            f"super.users=User:ANONYMOUS;User:{ADMIN}",
        ],
        format_options=[
            option
            for name, secret in _SECRETS.items()
            for option in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={secret}]")
        ],
    )
    process.start()
    broker = Secured(plain, tls, user, elsewhere, files)
    try:
        asyncio.run(_answers(broker))
        yield broker
    finally:
        process.stop()


async def cut_connections() -> None:
    """Cut what is still open: aiokafka never closes a connection whose client ends while TLS and SASL are agreed on."""
    loop: Any = asyncio.get_running_loop()
    for transport in list(loop._transports.values()):
        transport.abort()
    await asyncio.sleep(0)


async def _answers(broker: Secured) -> None:
    """Wait until each listener serves: they open one after the other."""
    async with asyncio.timeout(60):
        for kafka in (broker.as_user(), broker.as_certified()):
            while True:
                try:
                    await reach(kafka)
                    break
                except (BrokerUnavailableError, AccessError):
                    await asyncio.sleep(0.2)
    await cut_connections()


def _write_store(certificate: trustme.LeafCert, path: Path) -> None:
    """Write a certificate as Java reads it: its key in PKCS #8, then the chain."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(written + b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
