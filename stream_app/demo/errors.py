"""Why the demo cannot run."""

from __future__ import annotations


class DemoError(Exception):
    """The message is one line with the cure."""
