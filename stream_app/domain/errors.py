"""Errors of the domain.

DomainError
├── UnknownFormatError   a stored state was written by a newer version
└── CorruptStateError    a stored state cannot be read
"""

from __future__ import annotations

from stream_app.errors import ExpectedError


class DomainError(ExpectedError):
    """Something that the domain refuses; the message tells what happened and the cure."""


class UnknownFormatError(DomainError):
    """A stored state was written by a newer version of this program."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"stored state has format {found}, this version reads up to {known}: run the newer version, or delete the "
            "application's changelog topics to compute all state anew"
        )
        self.found, self.known = found, known


class CorruptStateError(DomainError):
    """A stored state is not what any version writes."""
