"""Other people's readers, fetched once into the cache; a test that cannot have one is skipped with the reason."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent
NODE_EXAMPLE: Final = FOLDER.parents[1] / "example" / "node"
_CACHE: Final = FOLDER.parents[1] / ".cache" / "readers"
_TIMEOUT_S: Final = 240.0


def flink_jars() -> Path:
    """Jars of Flink's reader of JSON."""
    _need("java", "mvn")
    pom = FOLDER / "pom.xml"

    def fetch(directory: Path) -> Sequence[str]:
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}", "-DincludeScope=runtime"]
        return ["mvn", "-q", "-B", "-f", str(pom), *goal]

    return _fetched("flink", [pom], fetch)


def librdkafka() -> Path:
    """Interpreter of a Python that has librdkafka's client."""
    packages = FOLDER / "librdkafka.txt"

    def fetch(directory: Path) -> Sequence[str]:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True)
        python = str(directory / "bin" / "python")
        return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(packages)]

    return _fetched("librdkafka", [packages], fetch) / "bin" / "python"


def node_example() -> Path:
    """The example in Node, with its packages."""
    _need("node", "npm")
    files = [NODE_EXAMPLE / name for name in ("package.json", "package-lock.json", "final_windows.js")]

    return _fetched("node", files, lambda directory: _npm(directory, files)) / "final_windows.js"


def asyncapi_schema(version: str) -> Path:
    """JSON Schema of AsyncAPI documents, by the makers of AsyncAPI."""
    _need("npm")
    files = [FOLDER / "asyncapi" / name for name in ("package.json", "package-lock.json")]
    package = _fetched("asyncapi", files, lambda directory: _npm(directory, files))
    return package / "node_modules" / "@asyncapi" / "specs" / "schemas" / f"{version}-without-$id.json"


def identity_provider() -> Path:
    """An OIDC server in Node, with its packages."""
    _need("node", "npm")
    files = [FOLDER / "identity" / name for name in ("package.json", "package-lock.json", "provider.mjs")]
    return _fetched("identity", files, lambda directory: _npm(directory, files)) / "provider.mjs"


def _npm(directory: Path, files: Sequence[Path]) -> Sequence[str]:
    directory.mkdir()
    for file in files:
        shutil.copy(file, directory)
    return ["npm", "ci", "--silent", "--ignore-scripts", "--prefix", str(directory)]


def _need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")


def _fetched(name: str, inputs: Sequence[Path], fetch: Callable[[Path], Sequence[str]]) -> Path:
    """Directory that a command has filled; ``fetch`` prepares it and gives the command."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    directory = _CACHE / f"{name}-{digest}"
    stamp = directory / ".complete"
    if not stamp.exists():
        shutil.rmtree(directory, ignore_errors=True)
        _CACHE.mkdir(parents=True, exist_ok=True)
        (_CACHE.parent / ".gitignore").write_text("*\n")
        run = subprocess.run(fetch(directory), check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
        if run.returncode:
            pytest.skip(f"cannot fetch {name}: {(run.stdout + run.stderr)[-500:]}")
        stamp.touch()
    return directory
