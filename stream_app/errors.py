"""The root of the errors that are expected: each is told to the user as it is, without a traceback."""

from __future__ import annotations


class ExpectedError(Exception):
    """Something outside of the program is wrong; the message is one line: what happened, where, and the cure."""
