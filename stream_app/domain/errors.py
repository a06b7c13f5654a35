"""Errors of the domain.

DomainError
├── UnknownFormatError   a stored state has a format that this release does not read
└── CorruptStateError    a stored state is not what any release writes
"""

from __future__ import annotations

from typing import ClassVar

from stream_app.errors import ExpectedError

_ANEW = "delete the application's changelog topics, or use another STREAM_KAFKA__APP_ID, to compute the state anew"


class DomainError(ExpectedError):
    """Something that the domain refuses; the message tells what happened and the cure.

    No row is at fault for it: it ends the worker.
    """

    code: ClassVar[str]


class UnknownFormatError(DomainError):
    """A stored state was written by a newer release, or before the first one."""

    code = "unknown_state_format"

    def __init__(self, found: int, known: int) -> None:
        if found > known:
            reason = f"stored state has format {found}, this release reads up to {known}: run the newer release, or "
        else:
            reason = f"stored state has format {found}, written before the first release: "
        super().__init__(reason + _ANEW)
        self.found, self.known = found, known


class CorruptStateError(DomainError):
    """A stored state is not what any release writes."""

    code = "corrupt_state"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: {_ANEW}")


class UntraceableError(DomainError):
    """A metric does with a column what cannot be compiled."""

    code = "metric_not_compiled"

    def __init__(self, operation: str, cure: str, metric: str = "a contribution") -> None:
        super().__init__(f"{metric} uses {operation}, which cannot be compiled: {cure}")
        self.operation, self.cure = operation, cure

    def of(self, metric: str) -> UntraceableError:
        """The same, of a metric known by name."""
        return UntraceableError(self.operation, self.cure, metric)
