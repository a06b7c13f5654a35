"""What a command may fail with beside the errors of the layers below it."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what it was asked; the message is one line with the cure."""
