"""Where the peers run: a virtual environment each, made once from its pinned requirements; the Java ones from Maven."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_CACHE: Final = ROOT / ".cache" / "bench"
_REQUIREMENTS: Final = Path(__file__).parent / "requirements"
_STREAMS: Final = Path(__file__).parent / "programs" / "streams"
_TIMEOUT_S: Final = 900.0


class EnvironmentMissingError(Exception):
    """A contender cannot be installed here; says why."""


def requirements(name: str) -> list[str]:
    """Pinned packages of an environment."""
    lines = (_REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def python(name: str) -> Path:
    """Interpreter of an environment, which is made if it is not there or its requirements have changed."""
    directory = _CACHE / name
    wanted = "\n".join([sys.version, *requirements(name)])
    stamp = directory / "installed.txt"
    interpreter = directory / "bin" / "python"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        _run(name, [sys.executable, "-m", "venv", str(directory)])
        file = str(_REQUIREMENTS / f"{name}.txt")
        _run(name, [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", file])
        stamp.write_text(wanted, "utf-8")
    return interpreter


def streams_classpath() -> str:
    """Class path of the Kafka Streams programs: their jars, fetched by Maven, and their classes, compiled here."""
    if missing := [tool for tool in ("java", "javac", "mvn") if shutil.which(tool) is None]:
        msg = f"{', '.join(missing)}: not installed (Debian: openjdk-17-jdk-headless, maven)"
        raise EnvironmentMissingError(msg)
    directory = _CACHE / "streams"
    sources = [_STREAMS / "pom.xml", *sorted(_STREAMS.glob("*.java"))]
    wanted = "\n".join(source.read_text("utf-8") for source in sources)
    stamp = directory / "compiled.txt"
    libraries, classes = directory / "libs", directory / "classes"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        libraries.mkdir(parents=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={libraries}", "-DincludeScope=runtime"]
        _run("streams", ["mvn", "-q", "-B", "-f", str(sources[0]), *goal])
        compiling = ["javac", "-cp", f"{libraries}/*", "-d", str(classes)]
        _run("streams", [*compiling, *(str(source) for source in sources[1:])])
        stamp.write_text(wanted, "utf-8")
    return f"{classes}:{libraries}/*"


def _run(name: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentMissingError(str(error)) from error
    if done.returncode != 0:
        told = (done.stderr.strip() or done.stdout.strip())[-500:]
        msg = f"environment {name!r} cannot be made: {told}"
        raise EnvironmentMissingError(msg)
