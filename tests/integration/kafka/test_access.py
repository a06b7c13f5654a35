"""Brokers with TLS, users and rights: the worker gets in, or says which setting keeps it out."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.admin import CreateAclsRequest

from stream_app.errors import ExpectedError
from stream_app.infra.kafka.errors import AccessError, AdvertisedAddressError
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.access import client_options, connection
from stream_app.infra.kafka.log.contact import reach
from stream_app.settings import KafkaSettings
from tests.integration.kafka.running import numbers, running, until
from tests.kafka import KafkaProcess, free_port, settings_for
from tests.kafka_jars import kafka_jars

pytestmark = pytest.mark.kafka

SECRET, WRONG = "secret", "no-such-secret"
_JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="admin" password="a" user_admin="a" user_app="secret" user_nobody="secret";'
)


@dataclass(frozen=True)
class Secured:
    """A broker with a listener of each kind; ``files`` has the certificates."""

    plain: int
    tls: int
    user: int
    elsewhere: int  # its clients are sent to where nobody answers
    files: Path

    def settings(self, port: int, **changes: Any) -> KafkaSettings:
        return KafkaSettings(**(settings_for(f"127.0.0.1:{port}").model_dump() | changes))

    def as_user(self, **changes: Any) -> KafkaSettings:
        given = {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "admin",
            "sasl_password": "a",
            "ssl_cafile": self.files / "ca.pem",
        }
        return self.settings(self.user, **(given | changes))

    def as_certified(self, **changes: Any) -> KafkaSettings:
        given = {
            "security_protocol": "SSL",
            "ssl_cafile": self.files / "ca.pem",
            "ssl_certfile": self.files / "ca.pem",
            "ssl_keyfile": self.files / "key.pem",
        }
        return self.settings(self.tls, **(given | changes))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    jars = kafka_jars()
    if jars is None or shutil.which("openssl") is None:
        pytest.skip("needs Java 17, Maven and openssl: a broker with TLS is started")
    files = tmp_path_factory.mktemp("secured")
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=broker -keyout key.pem -out ca.pem -addext"
    names_of_it = "subjectAltName=DNS:broker.example,IP:127.0.0.1"
    subprocess.run([*request.split(), names_of_it], check=True, cwd=files, capture_output=True)
    (files / "store.pem").write_text((files / "key.pem").read_text() + (files / "ca.pem").read_text())
    plain, tls, user, elsewhere = (free_port() for _ in range(4))
    controller = plain + 1
    names = {"PLAINTEXT": plain, "TLS": tls, "USER": user, "ELSEWHERE": elsewhere}
    told = names | {"ELSEWHERE": free_port()}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in names.items())
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in told.items())
    process = KafkaProcess(
        jars,
        files / "broker",
        port=plain,
        properties=[
            f"listeners={listeners},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners={advertised}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,USER:SASL_SSL,"
            "ELSEWHERE:PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            f"listener.name.user.plain.sasl.jaas.config={_JAAS}",
            "listener.name.tls.ssl.client.auth=required",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={files / 'store.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={files / 'ca.pem'}",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS;User:admin;User:CN=broker",
        ],
    )
    process.start()
    yield Secured(plain, tls, user, elsewhere, files)
    process.stop()


@pytest.fixture(autouse=True)
async def _cut_connections() -> AsyncIterator[None]:
    """Cut what is still open: aiokafka never closes a connection whose client ends while TLS and SASL are agreed on."""
    yield
    loop: Any = asyncio.get_running_loop()
    for transport in list(loop._transports.values()):
        transport.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["as_user", "as_certified"])
async def test_a_worker_runs_over_tls(secured: Secured, way: str) -> None:
    """Every client of the worker gets in: topics, consumer, changelogs, producer."""
    kafka: KafkaSettings = getattr(secured, way)()
    await topics.ensure(kafka)
    producer = AIOKafkaProducer(**client_options(kafka))
    async with running(kafka) as run:
        await producer.start()
        for key, value in numbers(40):
            await producer.send_and_wait(kafka.measurements_topic, value, key=key)
        await producer.stop()
        await until(lambda: run.rows() == 40)
    async with running(kafka) as run:
        assert run.rows() == 40


def test_a_password_may_stand_in_a_file(secured: Secured) -> None:
    """As secrets are mounted: the end of the line does not count, and a file that is missing is named."""
    file = secured.files / "password"
    file.write_text("a\n")
    kafka = secured.as_user(sasl_password=None, sasl_password_file=file)
    asyncio.run(reach(kafka))
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SASL_PASSWORD_FILE: cannot read"):
        client_options(kafka.model_copy(update={"sasl_password_file": secured.files / "no-file"}))


def test_files_that_are_no_certificates_are_named(secured: Secured) -> None:
    """The setting, the file and what is wrong with it."""
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SSL_CAFILE: cannot use"):
        client_options(secured.as_user(ssl_cafile=secured.files / "key.pem"))
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SSL_KEYFILE: cannot use"):
        client_options(secured.as_certified(ssl_keyfile=secured.files / "no-file"))


@pytest.mark.parametrize(
    ("way", "changes", "told"),
    [
        ("as_user", {"sasl_password": "wrong"}, r"refuses user 'admin' .*STREAM_KAFKA__SASL_PASSWORD"),
        ("as_user", {"sasl_mechanism": "SCRAM-SHA-256"}, r"knows PLAIN, but not SCRAM-SHA-256"),
        ("as_user", {"ssl_cafile": None}, r"not trusted .*STREAM_KAFKA__SSL_CAFILE"),
        ("as_user", {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": None}, r"speaks TLS.* to SASL_SSL"),
        (
            "as_user",
            {"security_protocol": "SSL", "sasl_mechanism": None, "sasl_username": None, "sasl_password": None},
            r"asks for a user \(SASL: PLAIN\).* to SASL_SSL",
        ),
        ("as_certified", {"ssl_certfile": None, "ssl_keyfile": None}, r"certificate.*STREAM_KAFKA__SSL_CERTFILE"),
        (
            "as_certified",
            {"security_protocol": "PLAINTEXT", "ssl_cafile": None, "ssl_certfile": None, "ssl_keyfile": None},
            r"speaks TLS, and is asked without: set STREAM_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL",
        ),
    ],
)
async def test_what_keeps_a_client_out_is_named(secured: Secured, way: str, changes: dict[str, Any], told: str) -> None:
    """Each wrong setting ends whoever asks, with the setting and the cure."""
    kafka: KafkaSettings = getattr(secured, way)(**changes)
    with pytest.raises(AccessError, match=told):
        await reach(kafka)


@pytest.mark.parametrize(
    ("protocol", "changes", "told"),
    [
        ("SSL", {}, r"speaks no TLS, and is asked with it: .* to PLAINTEXT"),
        ("SASL_PLAINTEXT", {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}, "asks for no user"),
    ],
)
async def test_a_plain_broker_is_named_as_that(
    secured: Secured, protocol: str, changes: dict[str, Any], told: str
) -> None:
    """TLS or a user where none is asked for."""
    with pytest.raises(AccessError, match=told):
        await reach(secured.settings(secured.plain, security_protocol=protocol, **changes))


async def test_a_wrong_password_ends_the_worker(secured: Secured) -> None:
    """It is no reason to wait; the password is not told."""
    async with running(secured.as_user(sasl_password=WRONG), ready=False) as run:
        with pytest.raises(AccessError, match="refuses user 'admin'") as caught:
            await run.task
        assert WRONG not in str(caught.value)
        assert run.worker.status().phase == "failed"


async def test_an_advertised_address_that_nobody_answers_at_is_named(secured: Secured) -> None:
    """The worker waits, and says where the broker sends it: the broker's settings are at fault."""
    kafka = secured.settings(secured.elsewhere)
    with pytest.raises(AdvertisedAddressError, match=rf"at 127\.0\.0\.1:{secured.elsewhere} answers, but sends"):
        await topics.check(kafka)
    async with running(kafka, ready=False) as run:
        await until(lambda: "advertised.listeners" in run.worker.status().detail)
        assert run.worker.status().phase == "waiting_for_broker"


async def test_topics_whose_settings_are_hidden_are_not_taken_for_wrong(secured: Secured) -> None:
    """Without a right to describe settings the check says that it does not check them, and the topics are not wrong."""
    kafka = secured.settings(secured.plain)
    await topics.ensure(kafka)
    nobody = secured.as_user(sasl_username="nobody", sasl_password=SECRET).model_copy(
        update={"app_id": kafka.app_id}
        | {name: getattr(kafka, name) for name in ("measurements_topic", "metrics_topic", "dead_letter_topic")}
    )
    await grant(secured, kafka)
    unread: list[str] = []
    assert await topics.check(nobody, unread.append) == []
    assert ["not checked" in line and "DescribeConfigs" in line for line in unread] == [True]
    async with running(nobody) as run:
        await until(run.is_ready)


async def grant(secured: Secured, kafka: KafkaSettings) -> None:
    """Read and Write on the topics, Read on the group: the usual rights."""
    topic, group, prefixed, read, write, allow = 2, 3, 4, 3, 4, 3
    opened = await connection(kafka, "127.0.0.1", secured.plain)
    for resource, operation in ((topic, read), (topic, write), (group, read)):
        request = CreateAclsRequest(resource, kafka.app_id, prefixed, "User:nobody", "*", operation, allow)
        answer = await opened.send(request)
        assert answer.creation_responses[0][0] == 0, answer
    opened.close()
