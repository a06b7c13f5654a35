"""Actions and observations of a run, as JSON lines."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class History:
    """Writes ``history.jsonl``; every line has the seconds since the run began."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "history.jsonl"
        self._file = self.path.open("a", buffering=1)
        self._began = time.monotonic()

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def add(self, event: str, **facts: Any) -> None:
        """Write a line."""
        self._file.write(json.dumps({"t": round(self.elapsed_s(), 2), "event": event, **facts}, default=str) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
