"""The release check: the wheel, installed into a fresh environment, runs the demo without the repository."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.demo_process import START_TIMEOUT_S, demo
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
#: What ``PYTHONVERBOSE`` says of each module that is loaded from a file.
_LOADED = re.compile(r"^# (?:.+ matches|code object from|extension module .+ loaded from) '?(/[^'\n]+)", re.MULTILINE)

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Installation:
    """The wheel in an environment of its own, whose dependencies are those of the tests."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "stream-app"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that leads to the repository; Python tells which files it loads."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STREAM_"))}
        return {**kept, "PYTHONVERBOSE": "1"}

    def assert_own_code(self, told: str) -> None:
        """Whoever told this has loaded the installed package and nothing of the repository."""
        loaded = {Path(found) for found in _LOADED.findall(told)}
        assert any(self.folder in path.parents and "stream_app" in path.parts for path in loaded), told[-2000:]
        of_repository = {path for path in loaded if ROOT in path.parents and "site-packages" not in path.parts}
        assert of_repository == set()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    dist, folder = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("installation")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist], cwd=ROOT, check=True)
    (wheel,) = dist.glob("*.whl")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path that stands in a .pth file is searched for packages, but its own .pth files are not read: where the tests'
    # environment leads to the repository by one, this environment does not.
    dependencies = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    return Installation(folder)


def test_demo_once_runs_from_the_wheel(installation: Installation, tmp_path: Path) -> None:
    """Demo and worker load installed code alone, and print the metrics of the simulated day."""
    run = subprocess.run(
        [installation.program, "demo", "--once", "--data-dir", "data", "--port", str(free_port())],
        cwd=tmp_path,
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_TIMEOUT_S,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert re.search(r"total_data_points +21600", run.stdout)
    installation.assert_own_code(run.stderr)
    installation.assert_own_code((tmp_path / "data" / "worker.log").read_text())


def test_demo_simulates_its_fleet_from_the_wheel(installation: Installation, tmp_path: Path) -> None:
    """The fleet's rows arrive; Ctrl-C ends it."""
    with demo(
        *("--data-dir", "data", "--assets", "2"),
        program=(str(installation.program),),
        cwd=tmp_path,
        env=installation.environment,
    ) as running:
        running.until(lambda demo: bool(demo.rows()) and demo.rows()[-1] > 0)
        assert running.end(signal.SIGINT) == 0, running.lines[-20:]
    installation.assert_own_code("".join(running.lines))
