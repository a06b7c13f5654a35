"""The jars of the Kafka that tests run on."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Final

_JARS: Final = Path(__file__).parents[1] / ".cache" / "kafka-libs"
_POM: Final = Path(__file__).with_name("pom.xml")


def kafka_jars() -> Path | None:
    """Jars of a real Kafka, fetched once by Maven; None without Java or Maven."""
    if shutil.which("java") is None:
        return None
    _JARS.parent.mkdir(parents=True, exist_ok=True)
    with (_JARS.parent / "kafka-libs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and one of them fetches
        return _fetched_jars()


def _fetched_jars() -> Path | None:
    stamp = _JARS / ".complete"
    if not stamp.exists() or stamp.stat().st_mtime < _POM.stat().st_mtime:
        if shutil.which("mvn") is None:
            return None
        shutil.rmtree(_JARS, ignore_errors=True)
        _JARS.mkdir(parents=True)
        (_JARS.parent / ".gitignore").write_text("*\n")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={_JARS}", "-DincludeScope=runtime"]
        fetched = subprocess.run(["mvn", "-q", "-B", "-f", str(_POM), *goal], check=False, capture_output=True)
        if fetched.returncode != 0:
            warnings.warn(f"Maven cannot fetch Kafka: {fetched.stdout.decode()[-500:]}", stacklevel=2)
            return None
        stamp.touch()
    return _JARS
