"""API keys in Kafka: every worker knows a key as soon as it is written, and that it was revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from stream_app.cli import app
from stream_app.infra.kafka.errors import TopicsError
from stream_app.infra.kafka.log import key_topic
from stream_app.infra.kafka.log.key_topic import KeyTopic
from stream_app.settings import KafkaSettings
from stream_app.usecases.api_keys import KeyRing

pytestmark = pytest.mark.kafka


@dataclass
class RecordedAudit:
    """What the audit log got."""

    lines: list[tuple[str, dict[str, Any]]]

    def info(self, event: str, **told: Any) -> None:
        self.lines.append((event, told))


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110  # the ring sends no event
            await asyncio.sleep(0.02)


def test_topics_ensure_creates_theirs_too(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where keys open the API: a worker that starts without it would not know the first key for a while."""
    monkeypatch.setenv("STREAM_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("STREAM_KAFKA__APP_ID", kafka.app_id)

    def told() -> bool:
        result = CliRunner().invoke(app, ["topics", "ensure"])
        assert result.exit_code == 0, result.output
        return f"created topic '{kafka.app_id}-keys' with 1 partition(s)" in result.stdout

    assert not told()
    monkeypatch.setenv("STREAM_SECURITY__MODE", "keys")
    assert told()
    assert not told()
    assert asyncio.run(KeyTopic(kafka).read()).is_complete


async def test_keys_are_known_at_once_and_revoked_at_once(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the command line; a worker that follows since before the topic was there takes them too."""
    monkeypatch.setenv("STREAM_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("STREAM_KAFKA__APP_ID", kafka.app_id)

    async def run(*arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["keys", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    topic = KeyTopic(kafka)
    with pytest.raises(TopicsError, match="stream-app keys create"):
        await topic.read()
    ring = KeyRing()
    audit = RecordedAudit([])
    monkeypatch.setattr(key_topic, "_audit", audit)
    following = asyncio.create_task(topic.follow(ring))
    await until(lambda: "API keys are not read" in caplog.text)
    key = await run("create", "site", "--scope", "read", "--scope", "write", "--prefix", "site-", "--valid", "1d")
    await until(lambda: ring.rights(key, 0) is not None)
    rights = ring.rights(key, 0)
    assert rights is not None
    assert sorted(rights.scopes) == ["read", "write"]
    assert rights.prefix == "site-"
    key_id = key.split(".")[1]
    listed = await run("list")
    assert key_id in listed
    assert "read,write  site-  valid until" in listed
    assert key.split(".")[2] not in listed
    other = await run("create", "other", "--scope", "read")
    await until(lambda: ring.rights(other, 0) is not None)
    await run("revoke", key_id)
    await until(lambda: ring.rights(key, 0) is None)
    assert "revoked" in await run("list")
    # The first key may have been there before the topic was read.
    assert [(event, told["subject"]) for event, told in audit.lines[-2:]] == [
        ("key created", f"key {other.split('.')[1]} (other)"),
        ("key revoked", f"key {key_id} (site)"),
    ]
    assert other.split(".")[2] not in str(audit.lines)
    following.cancel()
