"""Workflows, templates, changelog and project metadata agree with each other and with the tree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github").glob("ISSUE_TEMPLATE/*.yml"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY: str = PROJECT["urls"]["Repository"]


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_runs_what_is_there(workflow: Path) -> None:
    """Every step calls a script or a make target of this repository."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    runs: list[str] = [step["run"] for step in _steps(workflow) if "run" in step]
    assert runs
    for command in runs:
        if made := re.fullmatch(r"make ([a-z-]+)", command):
            assert made[1] in targets
        else:
            assert (ROOT / command).is_file()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_needs_no_secret_and_pins_its_actions(workflow: Path) -> None:
    """A fork can run it; an action is taken in one major version."""
    assert "secrets." not in workflow.read_text("utf-8")
    used: list[str] = [step["uses"] for step in _steps(workflow) if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", action)] == []


def test_python_versions_are_those_that_are_tried() -> None:
    """Classifiers, the CI matrix and docs/releasing.md name the same versions."""
    prefix = "Programming Language :: Python :: "
    classified = [name.removeprefix(prefix) for name in PROJECT["classifiers"] if name.startswith(prefix)]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    assert jobs["versions"]["strategy"]["matrix"]["python"] == classified
    documented = (ROOT / "docs" / "releasing.md").read_text("utf-8").partition("## Python versions")[2]
    assert set(re.findall(r"\b3\.\d+\b", documented)) == set(classified)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_issue_form_can_be_read(form: Path) -> None:
    """A form has a name and fields with distinct ids; the chooser's settings are no form."""
    content = yaml.safe_load(form.read_text("utf-8"))
    if form.name == "config.yml":
        assert content.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert content["name"]
    assert content["description"]
    fields = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert fields
    assert len(fields) == len(set(fields))


def test_changelog_links_every_version() -> None:
    """A version's heading is a link to its comparison with the one before; the first one's to its tag."""
    versions: list[str] = re.findall(r"^## \[([^\]]+)\]", CHANGELOG, re.MULTILINE)
    links = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", CHANGELOG, re.MULTILINE))
    assert versions[0] == "Unreleased"
    released = [f"v{version}" for version in versions[1:]]
    due = [f"{REPOSITORY}/compare/{old}...{new}" for new, old in zip(["HEAD", *released], released, strict=False)]
    due.append(f"{REPOSITORY}/releases/tag/{released[-1]}" if released else f"{REPOSITORY}/commits/main")
    assert links == dict(zip(versions, due, strict=True))


def test_changelog_sorts_by_kind() -> None:
    """Entries stand below the kinds of Keep a Changelog."""
    kinds = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
