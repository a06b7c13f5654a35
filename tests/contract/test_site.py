"""The documentation site: it builds without a warning, holds every page, and loads nothing from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "properdocs.yml").read_text("utf-8"))

#: Tags and rules with which a page loads something; a plain link to another host loads nothing.
LOADED = re.compile(
    r"""<(?:script|link|img|source|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>"""
    r"""|@import\s+["']?(?:https?:)?//[^;]*|url\(["']?(?:https?:)?//[^)]*\)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make site`` does."""
    directory = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [Path(sys.executable).parent / "properdocs", "build", "--quiet", "--strict", "--site-dir", directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")
    return directory


def _pages(nav: list[Any]) -> set[str]:
    """Pages of a part of the navigation."""
    found: set[str] = set()
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found |= _pages(value) if isinstance(value, list) else {value}
    return found


def test_every_page_is_in_the_navigation() -> None:
    """A page of docs/ that the navigation does not name would not be found."""
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= _pages(CONFIG["nav"])


def test_site_loads_nothing_from_another_host(site: Path) -> None:
    """Pages, styles and scripts come from the site itself: it works without a network."""
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(files) > len(_pages(CONFIG["nav"]))
    found = [f"{path.name}: {load[:200]}" for path in files for load in LOADED.findall(path.read_text("utf-8"))]
    assert found == []


def test_repository_has_one_address() -> None:
    """The site and the package name the same repository."""
    assert f'Repository = "{CONFIG["repo_url"]}"' in (ROOT / "pyproject.toml").read_text("utf-8")
