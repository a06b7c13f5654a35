"""What was found in a file: how it is read, what is suspicious, and which rows are left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.file import too_many_left_out
from stream_app.usecases.errors import InvalidError


@dataclass(slots=True)
class Findings:
    """What was found in a file.

    Parameters
    ----------
    strict
        Whether the first bad row refuses the file.
    notes
        How the file is read, where that was decided from the file.
    warnings
        What is suspicious, each with its cure.
    rows
        Rows that count.
    left_out
        Rows that do not.
    first
        Why the first of them does not.
    skipped
        Lines that are no rows, by what they are.
    """

    strict: bool = False
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rows: int = 0
    left_out: int = 0
    first: InvalidError | None = None
    skipped: dict[str, list[int]] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Note something once."""
        if text not in self.notes:
            self.notes.append(text)

    def warn(self, text: str) -> None:
        """Warn of something once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def leave_out(self, error: InvalidError, rows: int = 1) -> None:
        """Leave out rows.

        Raises
        ------
        InvalidError
            The same, when the file is read strictly.
        """
        if self.strict:
            raise error
        self.left_out += rows
        self.first = self.first or error

    def skip(self, what: str, line: int) -> None:
        """Skip a line that is no row."""
        lines = self.skipped.setdefault(what, [0, line])
        lines[0] += 1

    def require_rows(self, *, allow_rejected: bool) -> None:
        """Refuse a file without rows, or of which too many are left out.

        Raises
        ------
        InvalidError
            With row and column of the first one that is left out.
        """
        total = self.rows + self.left_out
        if not total:
            raise InvalidError("no_rows", "the file has a header and no rows: send at least one row")
        if self.first is None or (self.rows and (allow_rejected or not self.too_many)):
            return
        detail = self.first.detail
        if self.left_out > 1:
            share = f"{self.left_out} of {total} rows cannot be read ({self.left_out / total:.1%})"
            detail = f"{detail} ({share}; --allow-rejected leaves them out)"
        raise InvalidError(self.first.code, detail, self.first.row, self.first.column)

    @property
    def too_many(self) -> bool:
        """Whether more rows are left out than goes without leave."""
        return too_many_left_out(self.left_out, self.rows + self.left_out)

    def told(self) -> list[str]:
        """All of it, a line each."""
        return [*self.noted(), *(f"warning: {text}" for text in self.warnings)]

    def noted(self) -> list[str]:
        """How the file is read, and what is left out, a line each."""
        lines = [f"{count} {what} skipped (line {line})" for what, (count, line) in self.skipped.items()]
        if self.first is not None:
            lines.append(
                f"{self.left_out} of {self.rows + self.left_out} rows left out, the first: {self.first.detail}"
            )
        return [*self.notes, *lines]
