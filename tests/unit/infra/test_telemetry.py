"""Logging: one format, a request id in each entry, one entry per request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from stream_app.http_settings import HttpSettings
from stream_app.infra.telemetry import RequestLog, configure_logging, request_id
from stream_app.infra.telemetry.logs import Redaction, Repeats
from stream_app.settings import KafkaSettings, Settings


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def api() -> FastAPI:
    """Build an application with a parameter, a probe and a failure."""
    application = FastAPI()
    application.add_middleware(RequestLog)

    @application.get("/things/{name}")
    async def thing(name: str) -> str | None:
        logging.getLogger("somewhere").info("looking for %s", name)
        return request_id()

    @application.get("/health/live")
    async def live() -> None: ...

    return application


async def ask(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(api())
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get(path, headers=headers)


def entries(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().err.splitlines()]


async def test_request_is_one_entry_with_the_path_template(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside what the handler logs, which carries the same id, whichever library it uses."""
    configure_logging("INFO", json=True)
    answer = await ask("/things/one", **{"X-Request-ID": "story-1"})
    inner, request = entries(capsys)
    assert (inner["event"], inner["logger"], inner["level"]) == ("looking for one", "somewhere", "info")
    assert inner["request_id"] == request["request_id"] == "story-1" == answer.headers["x-request-id"]
    assert (request["method"], request["path"], request["status"]) == ("GET", "/things/{name}", 200)
    assert request["ms"] >= 0
    assert request["timestamp"].endswith("Z")


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, 'quote"'])
async def test_request_id_that_does_not_belong_into_a_log_is_replaced(given: str) -> None:
    """By one of ours."""
    answer = await ask("/things/one", **{"X-Request-ID": given})
    assert answer.json() == answer.headers["x-request-id"]
    assert len(answer.json()) == 32


async def test_each_request_has_its_own_id() -> None:
    """And there is none outside."""
    assert (await ask("/things/one")).json() != (await ask("/things/one")).json()
    assert request_id() is None


async def test_probes_are_not_logged_at_info(capsys: pytest.CaptureFixture[str]) -> None:
    """They come every few seconds."""
    configure_logging("INFO", json=True)
    await ask("/health/live")
    assert entries(capsys) == []


async def test_unmatched_path_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Scanners choose it."""
    configure_logging("INFO", json=True)
    await ask("/wp-admin")
    (request,) = entries(capsys)
    assert (request["path"], request["status"]) == ("(none)", 404)


def test_libraries_that_tell_everything_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Their warnings pass."""
    configure_logging("INFO", json=True)
    for name in ("faust.worker", "aiokafka.consumer", "uvicorn.error", "httpx"):
        logging.getLogger(name).info("heartbeat")
        logging.getLogger(name).warning("trouble")
    assert [entry["event"] for entry in entries(capsys)] == ["trouble"] * 4


def test_level_above_warning_holds_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and theirs."""
    configure_logging("ERROR", json=True)
    logging.getLogger("faust").warning("trouble")
    logging.getLogger("stream_app").warning("trouble")
    assert entries(capsys) == []


def test_console_format_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """No JSON, no colours in a file."""
    configure_logging("INFO", json=False)
    logging.getLogger("stream_app").info("hello")
    text = capsys.readouterr().err
    assert "hello" in text
    assert "{" not in text
    assert "\x1b" not in text


def test_a_library_that_repeats_itself_is_heard_once_in_a_while() -> None:
    """A hundred entries that say the same are one, and the next one tells of the others."""
    repeats = Repeats(every_s=5)

    def entry(at_s: float, broker: int) -> logging.LogRecord:
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "broker %s is away", (broker,), None)
        record.created = at_s
        return record

    assert [repeats.filter(entry(100 + i / 100, i)) for i in range(100)] == [True] + [False] * 99
    later = entry(106, 7)
    assert repeats.filter(later)
    assert later.getMessage() == "broker 7 is away (99 more like it)"


def test_what_faust_tells_of_its_services_is_left_out() -> None:
    """Starting and stopping of each inner service is no news; its warnings are, and so is everything of ours."""
    repeats = Repeats()

    def passes(level: int, text: str) -> bool:
        return repeats.filter(logging.LogRecord("stream_app.infra.kafka.app", level, "", 0, text, (), None))

    assert not passes(logging.INFO, "[^StreamApp]: Starting...")
    assert passes(logging.WARNING, "[^StreamApp]: does not answer")
    assert passes(logging.INFO, "waiting for the broker")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_in_the_log(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    """What the settings hold, and what looks like a key, a token or a password; of a key its id is left."""
    known, key = 'pass"word\\1', "sk.3f6c01.Zm9vYmFyYmF6cXV4Zm9v"
    signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    configure_logging("INFO", json=as_json, secrets=[known, ""])
    structlog.contextvars.bind_contextvars(header=f"Bearer {signed}")
    logging.getLogger("aiokafka").warning("SASL with %s is refused", known)
    logging.getLogger("stream_app").info("asked with %s by https://user:hunter22@host/", key)
    logging.getLogger("stream_app").info("sasl_plain_password='hunter22', ssl.key.password=hunter22")
    try:
        raise ValueError(known)
    except ValueError:
        logging.getLogger("stream_app").exception("it failed")
    structlog.contextvars.clear_contextvars()
    text = capsys.readouterr().err
    assert text.count("***") >= 6
    for secret in (known, json.dumps(known)[1:-1], "Zm9vYmFyYmF6cXV4Zm9v", signed, "hunter22"):
        assert secret not in text
    assert "sk.3f6c01" in text


def test_short_words_are_no_secrets() -> None:
    """A password such as `a` would take every a out of the log."""
    assert Redaction(["a", "log"])("a log") == "a log"


def test_an_entry_for_people_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a client sends."""
    configure_logging("INFO", json=False)
    logging.getLogger("stream_app").info("asset %s", "a\n2026-01-01 [error] all is lost\x1b[2J")
    (line,) = capsys.readouterr().err.splitlines()
    assert "\\n2026-01-01" in line
    assert "\x1b" not in line


def test_secrets_of_the_settings_are_found(tmp_path: Path) -> None:
    """Those in the environment and those in files."""
    file = tmp_path / "password"
    file.write_text("from-a-file\n")
    kafka: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"}
    by_file = Settings(
        kafka=KafkaSettings(**kafka, sasl_password_file=file), http=HttpSettings(secret_file=tmp_path / "no-file")
    )
    assert by_file.secrets() == ["from-a-file"]
    given = KafkaSettings(**kafka | {"sasl_password": "given"})
    assert Settings(kafka=given).secrets() == ["given"]
