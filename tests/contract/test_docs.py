"""What the documentation must mention: a test fails where something is undocumented, or documented and gone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from stream_app.cli import app
from stream_app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text("utf-8")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("example/*.md"), *ROOT.glob(".github/*.md")]
)


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def _commands() -> Iterator[str]:
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        yield from ([f"{name} {each}" for each in inner] if inner else [name])


@pytest.mark.parametrize("variable", list(_variables(Settings, "STREAM_")))
def test_setting_is_documented(variable: str) -> None:
    """Every setting stands in docs/settings.md under its environment variable."""
    assert f"`{variable}`" in SETTINGS


def test_documented_settings_exist() -> None:
    """Every variable in docs/settings.md is one that a worker reads."""
    documented = set(re.findall(r"^\| `(STREAM_\w+)`", SETTINGS, re.MULTILINE))
    assert documented == set(_variables(Settings, "STREAM_"))


@pytest.mark.parametrize("command", list(_commands()))
def test_command_is_documented(command: str) -> None:
    """Every command stands in the README."""
    assert f"stream-app {command}" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_targets_exist() -> None:
    """Every ``make`` target that a page names is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {a or b for a, b in named} <= targets


def test_threats_name_tests_that_are_there() -> None:
    """Each threat has one."""
    table = [line for line in (ROOT / "docs" / "security.md").read_text("utf-8").splitlines() if line.count("|") == 5]
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    rows = [line.split("|")[4] for line in table if "| asset |" not in line and "---" not in line]
    assert len(rows) > 10
    for row in rows:
        named = re.findall("`(test_[a-z_0-9]+)`", row)
        assert named
        assert [name for name in named if f"def {name}(" not in tests] == []
