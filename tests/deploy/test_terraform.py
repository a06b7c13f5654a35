"""deploy/terraform can be read, and has the topics and rights that the program wants.

It was applied by hand, with a provider built from its sources (docs/kubernetes.md); this reads the text.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import hcl2
import pytest

from stream_app.infra.kafka.log.topics import Topics, _wanted_configs
from stream_app.settings import KafkaSettings
from tests.deploy import variables
from tests.deploy.variables import ROOT

FOLDER = ROOT / "deploy" / "terraform"
TEXT = "\n".join(file.read_text("utf-8") for file in sorted(FOLDER.glob("*.tf")))


def blocks(kind: str) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """Blocks of a kind, each with its labels."""
    found = []
    for file in FOLDER.glob("*.tf"):
        for block in hcl2.loads(file.read_text("utf-8")).get(kind, ()):
            labels, content = [], block
            while "__is_block__" not in content:
                ((label, content),) = content.items()
                labels.append(label.strip('"'))
            found.append((tuple(labels), content))
    return found


LOCALS = {name: value for _, block in blocks("locals") for name, value in block.items()}
TOPICS = {labels[1]: content for labels, content in blocks("resource") if labels[0] == "kafka_topic"}


def config_of(topic: str) -> dict[str, str]:
    """Settings of a topic that are written in the text; those of a local value are put in."""
    pairs = re.findall(r'"([\w.]+)"\s*=\s*("?[\w.]+"?)', TOPICS[topic]["config"])
    put = {name: LOCALS[value.removeprefix("local.")] if value.startswith("local.") else value for name, value in pairs}
    return {name: value.strip('"') for name, value in put.items()}


def test_topics_are_as_the_program_wants_them() -> None:
    """Every topic of the program with every setting that ``topics check`` and ``topics ensure`` know."""
    topics = Topics.of(KafkaSettings())
    wanted = _wanted_configs(topics)
    terraform = {
        topics.measurements: "measurements",
        topics.metrics: "metrics",
        topics.dead_letters: "dead_letters",
        topics.assets_changelog: "changelog",
        topics.windows_changelog: "changelog",
    }
    assert terraform.keys() == wanted.keys()
    for name, resource in terraform.items():
        have = config_of(resource)
        assert {key: have.get(key) for key in wanted[name]} == wanted[name], name
    assert '"${var.app_id}-${table}-changelog"' in TEXT
    assert TOPICS["changelog"]["partitions"] == "${kafka_topic.measurements.partitions}"


def test_defaults_are_those_of_the_settings() -> None:
    """A worker without settings finds what Terraform makes without them."""
    given = {labels[0]: content.get("default") for labels, content in blocks("variable")}
    settings = KafkaSettings()
    for name in ("app_id", "measurements_topic", "metrics_topic", "dead_letter_topic"):
        assert str(given[name]).strip('"') == getattr(settings, name)
    environment = dict(blocks("output"))["worker_environment",]["value"]
    assert set(environment) <= set(variables.names())


@pytest.mark.parametrize("topic", ["measurements", "changelog", "keys"])
def test_rows_and_state_are_not_destroyed(topic: str) -> None:
    """A plan that would is refused."""
    assert TOPICS[topic]["lifecycle"] == [{"prevent_destroy": True, "__is_block__": True}]


def test_no_password_is_in_the_state_or_in_the_text() -> None:
    """They are written only."""
    (user,) = [content for labels, content in blocks("resource") if labels[0] == "kafka_user_scram_credential"]
    assert "password_wo" in user
    assert "password" not in user
    passwords = dict(blocks("variable"))["passwords",]
    assert passwords["sensitive"]
    assert passwords["ephemeral"]
    assert passwords["default"] == {}


def test_it_is_formatted() -> None:
    """As Terraform and OpenTofu do it."""
    tool = shutil.which("terraform") or shutil.which("tofu")
    if tool is None:
        pytest.skip("needs terraform or tofu")
    done = subprocess.run([tool, "fmt", "-check", "-diff", FOLDER], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
