"""Builds what the contenders run on, once, into a cache: virtual environments, Java classes, Go and Rust programs.

Every version is pinned: Python packages in ``bench/requirements``, jars in a ``pom.xml``, Go modules in ``go.mod`` and
``go.sum``, crates in ``Cargo.toml``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET  # our own pom.xml

ROOT: Final = Path(__file__).parents[1]
_CACHE: Final = ROOT / ".cache" / "bench"
_REQUIREMENTS: Final = Path(__file__).parent / "requirements"
_PROGRAMS: Final = Path(__file__).parent / "programs"
_TIMEOUT_S: Final = 1200.0
_PACKAGES: Final = {
    "java": "Debian: openjdk-17-jdk-headless",
    "javac": "Debian: openjdk-17-jdk-headless",
    "mvn": "Debian: maven",
    "go": "Go 1.26 or newer",
    "cargo": "Rust 1.81 or newer",
}


class ToolMissingError(Exception):
    """A tool that a contender is built with is not installed here; says which and where it comes from."""


class BuildError(Exception):
    """A contender cannot be built or prepared; says why."""


def requirements(name: str) -> list[str]:
    """Pinned packages of a Python environment."""
    lines = (_REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def python(name: str) -> Path:
    """Interpreter of the Python environment of this name."""

    def build(directory: Path) -> None:
        _run(name, [sys.executable, "-m", "venv", str(directory)])
        file = str(_REQUIREMENTS / f"{name}.txt")
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(name, [*pip, "-r", file])

    return _built(name, [sys.version, *requirements(name)], build) / "bin" / "python"


def java_classpath(name: str) -> str:
    """Class path of the Java programs of this name: their jars, fetched by Maven, and their classes."""
    _need("java", "javac", "mvn")
    folder = _PROGRAMS / name
    sources = sorted(folder.glob("*.java"))

    def build(directory: Path) -> None:
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory / 'libs'}", "-DincludeScope=runtime"]
        _run(name, ["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), *goal])
        compiling = ["javac", "-cp", f"{directory / 'libs'}/*", "-d", str(directory / "classes")]
        _run(name, [*compiling, *map(str, sources)])

    directory = _built(name, _texts([folder / "pom.xml", *sources]), build)
    return f"{directory / 'classes'}:{directory / 'libs'}/*"


def jars(name: str) -> list[str]:
    """Pinned jars of the Java programs of this name."""
    root = ET.parse(_PROGRAMS / name / "pom.xml").getroot()  # noqa: S314  # our own file
    tags = ("groupId", "artifactId", "version")
    found = root.iter("{http://maven.apache.org/POM/4.0.0}dependency")
    return [":".join(each.findtext(f"{{*}}{tag}", "") for tag in tags) for each in found]


def go_program(name: str) -> Path:
    """Binary of the Go program of this name."""
    _need("go")
    folder = _PROGRAMS / name

    def build(directory: Path) -> None:
        # GOTOOLCHAIN: a toolchain that is too old is an error here, not a download.
        _run(name, ["go", "build", "-o", str(directory / "loop"), "."], folder, {"GOTOOLCHAIN": "local"})

    sources = [folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))]
    return _built(name, _texts(sources), build) / "loop"


def go_modules(name: str) -> list[str]:
    """Pinned modules that the Go program of this name imports."""
    first, _, _ = (_PROGRAMS / name / "go.mod").read_text("utf-8").partition(")")
    return ["==".join(line.split()) for line in first.partition("require (")[2].splitlines() if line.strip()]


def rust_program(name: str) -> Path:
    """Binary of the Rust program of this name.

    It is built in a copy of its folder: ``cargo`` leaves a lock file beside the sources, and a lock file names the
    registry. All crates, those of the crates too, are pinned in ``Cargo.toml`` instead.
    """
    _need("cargo")
    folder = _PROGRAMS / name

    def build(directory: Path) -> None:
        shutil.copytree(folder, directory, dirs_exist_ok=True)
        for what in ("test", "build"):
            where = {"CARGO_TARGET_DIR": str(directory / "target")}
            _run(name, ["cargo", what, "--release", "--quiet"], directory, where)

    sources = [folder / "Cargo.toml", *sorted((folder / "src").glob("*.rs"))]
    return _built(name, _texts(sources), build) / "target" / "release" / "loop"


def crates(name: str) -> list[str]:
    """Pinned crates of the Rust program of this name."""
    content = tomllib.loads((_PROGRAMS / name / "Cargo.toml").read_text("utf-8"))
    found = {**content["dependencies"], **content.get("build-dependencies", {})}
    return [
        f"{crate}={version if isinstance(version, str) else version['version']}" for crate, version in found.items()
    ]


def _need(*tools: str) -> None:
    missing = [f"{tool} is not installed ({_PACKAGES[tool]})" for tool in tools if shutil.which(tool) is None]
    if missing:
        raise ToolMissingError("; ".join(missing))


def _texts(files: Iterable[Path]) -> list[str]:
    return [file.read_text("utf-8") for file in files]


def _built(name: str, inputs: Iterable[str], build: Callable[[Path], None]) -> Path:
    """Folder of a build, which is built if it is not there or its inputs have changed."""
    directory = _CACHE / name
    wanted = "\n".join(inputs)
    stamp = directory / "built-from.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        build(directory)
        stamp.write_text(wanted, "utf-8")
    return directory


def _run(
    name: str, command: Sequence[str], directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    everything = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=directory, env=everything
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(str(error)) from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-500:]
        msg = f"{name!r} cannot be built: {said}"
        raise BuildError(msg)
