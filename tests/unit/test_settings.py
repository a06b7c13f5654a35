"""Settings that cannot work are refused at the start, with the variable and the cure."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.commands.options import settings_from
from stream_app.errors import ExpectedError
from stream_app.settings import Settings

SCRAM = {
    "SECURITY_PROTOCOL": "SASL_SSL",
    "SASL_MECHANISM": "SCRAM-SHA-512",
    "SASL_USERNAME": "app",
    "SASL_PASSWORD": "hush-hush",
}


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> str:
    for name, value in variables.items():
        if value is not None:
            monkeypatch.setenv(f"STREAM_{name}", value)
    with pytest.raises(ExpectedError) as caught:
        settings_from()
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "cure"),
    [
        ("127.0.0.1", "has no port: write '127.0.0.1:9092'"),
        ("kafka:", "write 'kafka:9092'"),
        ("kafka:nine", "must be a number from 1 to 65535"),
        ("kafka:70000", "must be a number from 1 to 65535"),
        ("PLAINTEXT://kafka:9092", "write 'kafka:9092' instead of 'PLAINTEXT://kafka:9092'"),
        ("kafka://kafka:9092/", "write 'kafka:9092' instead"),
        ("a:9092,", "an address is empty"),
        ("", "an address is empty"),
        ("a:9092;b:9092", "write several as host:port,host:port"),
        ("a:9092 b:9092", "write several as host:port,host:port"),
        ('["a:9092"]', "without JSON's brackets"),
        ("::1", "in brackets with a port, as [::1]:9092"),
        ("[::1]", "has no port"),
        ("us er@kafka:9092", "not one address"),
        ("kafka/x:9092", "is not the name or address of a host"),
    ],
)
def test_wrong_forms_of_an_address_get_their_cure(monkeypatch: pytest.MonkeyPatch, address: str, cure: str) -> None:
    """What users write for a server is told as it should be written."""
    told = refusal(monkeypatch, KAFKA__BOOTSTRAP_SERVERS=address)
    assert told.startswith("STREAM_KAFKA__BOOTSTRAP_SERVERS: ")
    assert cure in told


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "a.b-c.example:1, b_2:65535", "[::1]:9092"])
def test_right_forms_of_an_address(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    """Names, addresses and several of them are taken as they are."""
    monkeypatch.setenv("STREAM_KAFKA__BOOTSTRAP_SERVERS", servers)
    assert Settings().kafka.bootstrap_servers == servers


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"KAFKA__HEARTBEAT_INTERVAL_S": "4"}, ["STREAM_KAFKA__SESSION_TIMEOUT_S=10", "12 or more"]),
        ({"KAFKA__SESSION_TIMEOUT_S": "3"}, ["STREAM_KAFKA__HEARTBEAT_INTERVAL_S=2", "to 1 or less"]),
        ({"CHECKPOINT_INTERVAL_S": "40"}, ["STREAM_STALL_TIMEOUT_S=60", "80 or more"]),
        ({"KAFKA__METRICS_TOPIC": "measurements"}, ["STREAM_KAFKA__MEASUREMENTS_TOPIC", "STREAM_KAFKA__METRICS_TOPIC"]),
        ({"KAFKA__DEAD_LETTER_TOPIC": "stream-app-assets-changelog"}, ["STREAM_KAFKA__DEAD_LETTER_TOPIC", "changelog"]),
        ({"KAFKA__SASL_USERNAME": "app"}, ["STREAM_KAFKA__SASL_USERNAME", "SECURITY_PROTOCOL to SASL_SSL"]),
        ({"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, ["needs STREAM_KAFKA__SASL_MECHANISM"]),
        ({"KAFKA__SSL_CAFILE": "ca.pem"}, ["STREAM_KAFKA__SSL_CAFILE", "SECURITY_PROTOCOL to SSL"]),
        ({"KAFKA__SSL_CHECK_HOSTNAME": "false"}, ["STREAM_KAFKA__SSL_CHECK_HOSTNAME", "SECURITY_PROTOCOL to SSL"]),
        (
            {"KAFKA__SECURITY_PROTOCOL": "SSL", "KAFKA__SSL_KEYFILE": "key.pem"},
            ["STREAM_KAFKA__SSL_KEYFILE needs STREAM_KAFKA__SSL_CERTFILE"],
        ),
        ({"HTTP__ADVERTISED_URL": "host:8000"}, ["STREAM_HTTP__ADVERTISED_URL", "http://host:port"]),
        ({"WINDOWS": '["1m", "90s"]'}, ["STREAM_WINDOWS", "multiples"]),
        ({"WINDOWS": "1m"}, ["windows", "as JSON"]),
        ({"KEEP_WINDOWS": '{"7x": 3}'}, ["STREAM_KEEP_WINDOWS", "7x"]),
        ({"KAFKA__PARTITION": "3"}, ["STREAM_KAFKA__PARTITION is not a setting"]),
    ],
)
def test_settings_that_cannot_work_together(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: list[str]
) -> None:
    """Each rule names the variables that break it and the cure."""
    said = refusal(monkeypatch, **variables)
    assert all(part in said for part in told), said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"SASL_USERNAME": None}, "needs STREAM_KAFKA__SASL_USERNAME"),
        ({"SASL_PASSWORD": None}, "neither is set"),
        ({"SASL_PASSWORD_FILE": "/run/secret"}, "both are set"),
        ({"SASL_MECHANISM": "SCRAM"}, "STREAM_KAFKA__SASL_MECHANISM"),
        ({"SASL_PASSWRD": "hush-hush"}, "STREAM_KAFKA__SASL_PASSWRD is not a setting"),
    ],
)
def test_sasl_is_complete_and_no_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], told: str
) -> None:
    """What is missing is named; a password stands in no message, however it is misspelt."""
    said = refusal(monkeypatch, **{f"KAFKA__{name}": value for name, value in (SCRAM | change).items()})
    assert told in said
    assert "hush-hush" not in said


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by what a log may print of the settings, nor as JSON."""
    for name, value in SCRAM.items():
        monkeypatch.setenv(f"STREAM_KAFKA__{name}", value)
    settings = Settings()
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "hush-hush"
    assert "hush-hush" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_server_that_others_reach_wants_to_be_told_who_may_use_it() -> None:
    """Loopback is open by default; elsewhere openness is said aloud. Commands that serve nothing are not concerned."""
    with pytest.raises(ExpectedError, match="STREAM_SECURITY__MODE is not set"):
        Settings(http={"host": "::"}).require_access()
    for host in ("127.0.0.1", "::1", "localhost"):
        Settings(http={"host": host}).require_access()
    Settings(http={"host": "::"}, security={"mode": "none"}).require_access()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"security": {"mode": "jwt"}}, "STREAM_SECURITY__JWT__JWKS_URL"),
        ({"security": {"mode": "jwt", "jwt": {"jwks_url": "x", "issuer": "x"}}}, "STREAM_SECURITY__JWT__AUDIENCE"),
        ({"security": {"jwt": {"algorithms": ["none"]}}}, "algorithms"),
        ({"security": {"jwt": {"algorithms": ["HS256"]}}}, "algorithms"),
        ({"security": {"rate_limit": "many"}}, "rate_limit"),
        ({"http": {"tls_certfile": "cert.pem"}}, "STREAM_HTTP__TLS_KEYFILE"),
    ],
)
def test_access_control_that_is_not_complete_is_refused(given: dict[str, Any], told: str) -> None:
    """At the start, not at the first request."""
    with pytest.raises(ValueError, match=told):
        Settings(**given)
