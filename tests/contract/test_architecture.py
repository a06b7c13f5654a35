"""What the tree must look like, whoever changes it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 300
CODE = ("schemas", "stream_app", "tests", "tools", "example", "bench")
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

#: Clocks: time comes with the rows, or as a parameter.
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}

#: Folders of one machine, and hosts from which packages are downloaded.
MACHINE = re.compile(
    r"(?:^|[^.\w/])/(?:tmp|work|root|home|opt/wheels)/[\w.]"
    r"|(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|repo1?\.maven\.|docker\.io/|--index-url|--find-links=?\s*/(?!wheels))"
)


def _python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        # Generated code is kept beside the machine code that is made of it.
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if path.parent.name != "__pycache__")


def _committed_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git work tree: what belongs to the project cannot be told")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_files_are_short() -> None:
    """A Python file has at most 300 lines: split it by meaning."""
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in _python_files(*CODE)}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_modules_are_named_after_nouns_of_the_field() -> None:
    """No module or folder has a name that could hold anything."""
    parts = {part for path in _python_files(*CODE) for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & VAGUE == set()


def test_layers_are_kept() -> None:
    """The import contracts of pyproject.toml hold."""
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "layer", ["stream_app/columns", "stream_app/domain", "stream_app/wire", "stream_app/usecases", "schemas"]
)
def test_inner_layers_read_no_clock(layer: str) -> None:
    """Time comes in with the rows or as a parameter; nothing inside asks for it."""
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _python_files(layer)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"date", "datetime", "time"}
    }
    assert calls == set()


def test_packages_are_typed() -> None:
    """Both packages tell type checkers that they are typed."""
    assert all((ROOT / package / "py.typed").is_file() for package in ("schemas", "stream_app"))


def test_tree_names_no_machine() -> None:
    """No file holds a path of somebody's machine or the address of a package registry."""
    own = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in _committed_files()
        if path != own and path.suffix not in {".png", ".woff2", ".arrow", ".bin"}
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert found == []


def test_lock_has_hashes_and_no_addresses() -> None:
    """Every package of requirements.lock is pinned, with hashes; nothing says where it was downloaded."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8"))
    packages = [entry for entry in entries if entry and not entry.startswith("#")]
    assert len(packages) > 50
    assert [
        entry for entry in packages if not re.match(r"^[a-z0-9.-]+==\S+( ; python_version < \S+)? \\\n", entry)
    ] == []
    assert [entry for entry in packages if "--hash=sha256:" not in entry] == []


def test_faust_is_pinned() -> None:
    """Faust is pinned exactly: private members of it are overridden."""
    assert '"faust-streaming==' in (ROOT / "pyproject.toml").read_text("utf-8")
