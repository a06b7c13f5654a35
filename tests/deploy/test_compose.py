"""The image and the compose file: confined, on this host's loopback alone, and in agreement with the program."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import pytest
import yaml

from tests.deploy import variables
from tests.deploy.variables import DOCKERFILE, ROOT
from tools import bill_of_materials

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name: str) -> None:
    """Without capabilities, and with limits of memory, processes and logs."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_published_on_loopback_alone(name: str) -> None:
    """Nobody else on the network reaches an API that is open to all, nor a Kafka without security."""
    assert [port for port in SERVICES[name].get("ports", ()) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_for_long_comes_back(name: str) -> None:
    """After a crash and after a restart of the host, and says whether it is well."""
    service = SERVICES[name]
    if service.get("command", ["worker"])[0] in {"topics", "produce"}:
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_write_to_volumes_alone(name: str) -> None:
    """The folders that the image writes; each container has its own."""
    assert OURS[name]["read_only"] is True
    assert set(OURS[name]["volumes"]) == variables.written()


@pytest.mark.parametrize("name", OURS)
def test_our_containers_start_with_their_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is one that is read, and it is said who may use the API."""
    environment = {key: str(value) for key, value in OURS[name]["environment"].items() if value is not None}
    settings = variables.settings(environment, monkeypatch)
    assert settings.security.mode == "none"
    assert settings.kafka.bootstrap_servers.split(":")[0] in SERVICES


def test_the_history_store_is_the_one_that_is_told() -> None:
    """The user and the database of the address, which workers get from the shell."""
    database = SERVICES["postgres"]["environment"]
    address = f"postgresql://{database['POSTGRES_USER']}@postgres:5432/{database['POSTGRES_DB']}"
    assert SERVICES["history"]["environment"]["STREAM_HISTORY__URL"] == address
    assert SERVICES["worker"]["environment"]["STREAM_HISTORY__URL"] is None
    assert f"export STREAM_HISTORY__URL={address}" in (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_files_that_are_mounted_are_there(name: str) -> None:
    """Else an engine makes a folder of that name."""
    mounted = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", ()) if volume.startswith("./")]
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_files_that_are_copied_are_there() -> None:
    """And the build sees them."""
    seen = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert copied
    for file in copied:
        assert (ROOT / file).exists()
        assert file in seen


def test_the_image_is_confined_by_itself() -> None:
    """Another user than root, named by number, and no tool that installs packages."""
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d+$", final, re.MULTILINE)
    assert "pip uninstall" in final
    assert (ROOT / "deploy" / "entrypoint").stat().st_mode & 0o111


def test_the_bill_of_materials_has_every_package() -> None:
    """With version, address and nearly always a licence; in the image it is written before the last stage."""
    bill = bill_of_materials.document()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {component["name"].lower(): component for component in bill["components"]}
    assert found["numpy"]["version"] == version("numpy")
    assert found["numpy"]["purl"] == f"pkg:pypi/numpy@{version('numpy')}"
    assert {"faust-streaming", "stream-app", "aiokafka"} <= found.keys()
    assert sum("licenses" in component for component in found.values()) > 0.8 * len(found)
    assert "bill_of_materials" in DOCKERFILE.rpartition("\nFROM ")[0]
