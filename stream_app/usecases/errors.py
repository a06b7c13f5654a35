"""Why a use case cannot do what it was asked; each carries a stable ``code`` and a detail that tells the cure.

ServiceError
├── NotFoundError     it is certain that there is no such thing
├── InvalidError      the caller's input is wrong; nothing was done
├── ForbiddenError    the caller may not do it
├── ChangedError      the thing is not as the caller has it; nothing was done
├── NotConfiguredError the deployment lacks what it would need
└── UnavailableError  cannot tell or do it yet; asking again later is right
"""

from __future__ import annotations

from stream_app.errors import ExpectedError


class ServiceError(ExpectedError):
    """A use case's refusal."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class NotFoundError(ServiceError):
    """There is no such thing; ``partitions`` are those that were looked through for it."""

    def __init__(self, code: str, detail: str, partitions: frozenset[int] = frozenset()) -> None:
        super().__init__(code, detail)
        self.partitions = partitions


class InvalidError(ServiceError):
    """The input is wrong at ``row`` and ``column``, where these are known.

    Rows of a file count from 1 (0 is the header), rows of a JSON array from 0.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        row: int | None = None,
        column: str | None = None,
        errors: tuple[tuple[int | None, str | None, str], ...] = (),
    ) -> None:
        super().__init__(code, detail)
        self.row, self.column = row, column
        self.errors = errors  # (row, column, message) of all that is known


class ForbiddenError(ServiceError):
    """The caller may not do it, whatever the input is."""


class ChangedError(ServiceError):
    """The thing has changed since the caller saw it."""


class NotConfiguredError(ServiceError):
    """The deployment is without what it would need; asking again does not help."""


class UnavailableError(ServiceError):
    """Not now; ask again after ``retry_after_s``."""

    def __init__(self, code: str, detail: str, retry_after_s: int = 2) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
