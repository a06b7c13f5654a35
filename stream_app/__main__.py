"""Where a process begins. A worker that gets SIGTERM while Python still imports its libraries ends with exit code 0."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["worker"]:
        # Importing takes seconds on a busy machine; after it, the worker sets handlers of its own.
        signal.signal(signal.SIGTERM, _end)
    from stream_app.cli import main as run  # noqa: PLC0415

    run()


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    main()
