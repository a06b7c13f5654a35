"""Brokers with TLS and users: the worker gets in, or says which setting keeps it out."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import pytest

from stream_app.errors import ExpectedError
from stream_app.infra.kafka.errors import AccessError, AdvertisedAddressError, BrokerUnavailableError
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.access import client_options
from stream_app.infra.kafka.log.contact import reach
from stream_app.settings import KafkaSettings
from tests.integration.kafka.running import running, until
from tests.integration.secured.broker import ADMIN, SECRET, WRONG, Secured
from tests.ports import free_port

pytestmark = pytest.mark.kafka

WITHOUT_USER: dict[str, Any] = {"sasl_mechanism": None, "sasl_username": None, "sasl_password": None}


def test_a_password_may_stand_in_a_file(secured: Secured) -> None:
    """As secrets are mounted: the end of the line does not count, and a file that is missing is named."""
    file = secured.files / "password"
    file.write_text(f"{SECRET}\n")
    kafka = secured.as_user(sasl_password=None, sasl_password_file=file)
    asyncio.run(reach(kafka))
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SASL_PASSWORD_FILE: cannot read"):
        client_options(kafka.model_copy(update={"sasl_password_file": secured.files / "no-file"}))


def test_no_connection_outlives_who_asks(secured: Secured) -> None:
    """The event loop may end with the answer: a socket that is still open is told (and fails this test) as garbage."""
    for kafka in (secured.as_user(), secured.as_certified()):
        asyncio.run(reach(kafka))
    for kafka in (secured.as_user(sasl_password=WRONG), secured.as_user(security_protocol="SSL", **WITHOUT_USER)):
        with pytest.raises(AccessError):
            asyncio.run(reach(kafka))
    gc.collect()


def test_files_that_are_no_certificates_are_named(secured: Secured) -> None:
    """The setting, the file and what is wrong with it."""
    (secured.files / "empty.pem").write_text("")
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SSL_CAFILE: cannot use"):
        client_options(secured.as_user(ssl_cafile=secured.files / "empty.pem"))
    with pytest.raises(ExpectedError, match="STREAM_KAFKA__SSL_KEYFILE: cannot use"):
        client_options(secured.as_certified(ssl_keyfile=secured.files / "no-file"))


@pytest.mark.parametrize(
    ("way", "changes", "told"),
    [
        ("as_user", {"sasl_password": WRONG}, r"refuses user 'app' .*STREAM_KAFKA__SASL_PASSWORD"),
        ("as_user", {"name": "stranger"}, r"refuses user 'stranger' .*STREAM_KAFKA__SASL_USERNAME"),
        (
            "as_user",
            {"sasl_mechanism": "SCRAM-SHA-256"},
            r"no credential of user 'app' for SCRAM-SHA-256, but one for SCRAM-SHA-512: set STREAM_KAFKA__SASL_MECH",
        ),
        ("as_user", {"sasl_mechanism": "PLAIN"}, r"knows SCRAM-SHA-256, SCRAM-SHA-512, but not PLAIN"),
        ("as_user", {"ssl_cafile": None}, r"not trusted .*STREAM_KAFKA__SSL_CAFILE"),
        ("as_user", {"ssl_cafile": "foreign.pem"}, r"not trusted .*STREAM_KAFKA__SSL_CAFILE"),
        ("as_user", {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": None}, r"speaks TLS.* to SASL_SSL"),
        (
            "as_user",
            {"security_protocol": "SSL", **WITHOUT_USER},
            r"asks for a user \(SASL: SCRAM-SHA-256, SCRAM-SHA-512\).* to SASL_SSL",
        ),
        ("as_certified", {"ssl_certfile": None}, r"certificate.*STREAM_KAFKA__SSL_CERTFILE"),
        ("as_certified", {"ssl_certfile": "stranger.pem"}, r"certificate.*STREAM_KAFKA__SSL_CERTFILE"),
        (
            "as_certified",
            {"security_protocol": "PLAINTEXT", "ssl_cafile": None, "ssl_certfile": None},
            r"speaks TLS, and is asked without: set STREAM_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL",
        ),
    ],
)
async def test_what_keeps_a_client_out_is_named(
    secured: Secured, way: str, changes: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each wrong setting ends whoever asks, with the setting and the cure; no password is in the log or the error."""
    given = {name: secured.files / value if str(value).endswith(".pem") else value for name, value in changes.items()}
    kafka: KafkaSettings = getattr(secured, way)(**given)
    with caplog.at_level(logging.DEBUG), pytest.raises(AccessError, match=told) as caught:
        await reach(kafka)
    for secret in (SECRET, WRONG):
        assert secret not in str(caught.value)
        assert secret not in caplog.text


async def test_a_name_that_is_not_the_certificates_is_named(secured: Secured) -> None:
    """Where the certificate is trusted, but of another host."""
    kafka = secured.as_user(bootstrap_servers=f"localhost:{secured.user}")
    with pytest.raises(AccessError, match=r"not trusted .*STREAM_KAFKA__SSL_CHECK_HOSTNAME"):
        await reach(kafka)
    await reach(kafka.model_copy(update={"ssl_check_hostname": False}))


async def test_nobody_at_a_port_is_no_matter_of_access(secured: Secured) -> None:
    """TCP comes first: waiting may help."""
    with pytest.raises(BrokerUnavailableError, match="no Kafka broker answers"):
        await reach(secured.as_user(bootstrap_servers=f"127.0.0.1:{free_port()}"))


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
    async with running(secured.as_user(ADMIN, sasl_password=WRONG), ready=False) as run:
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
