"""What is known of the files that a device or a program writes, beyond what their titles say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

_UNIT: Final = re.compile(r"\s*(?:[\[(].*[\])]|/[^/]*)\s*$")
_PLAIN: Final = re.compile(r"[^a-z0-9äöüß]")


@dataclass(frozen=True, slots=True)
class Profile:
    """Files of a device or a program.

    Parameters
    ----------
    name
        As ``--profile`` has it.
    marks
        Titles without their units, as :func:`core` gives them; a file is such a one when it has all of any set.
    columns
        Titles that are to be read, by our columns, the best first; with ``:unit`` where the title names none. None at
        all where the file's column of that kind is something else.
    discharge_positive
        Whether current and power are above 0 when the battery is discharged.
    outflows
        Titles of what leaves the battery, where that has a column of its own, by our columns.
    state, discharging
        Titles of the state, and how those of discharging begin, where the current has no sign.
    remark
        What else there is to say.
    """

    name: str
    marks: tuple[frozenset[str], ...]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    discharge_positive: bool = False
    outflows: Mapping[str, str] = field(default_factory=dict)
    state: Sequence[str] = ()
    discharging: tuple[str, ...] = ()
    remark: str = ""

    def fits(self, found: Set[str]) -> bool:
        """Whether a table has the titles, given as :func:`core` gives them."""
        return any(marks <= found for marks in self.marks)

    def wanted(self, titles: Sequence[str]) -> dict[str, str]:
        """Titles of a table that are to be read, by our columns, as a spec has them."""
        by_core = {core(title): title.strip() for title in reversed(titles)}
        wanted = {}
        for name, candidates in self.columns.items():
            if not candidates:
                wanted[name] = ""
            for candidate in candidates:
                title, _, unit = candidate.partition(":")
                if title in by_core:
                    has_unit = _UNIT.search(by_core[title]) is not None
                    wanted[name] = f"{by_core[title]}:{unit}" if unit and not has_unit else by_core[title]
                    break
        return wanted

    def place(self, candidates: Sequence[str], titles: Sequence[str]) -> int | None:
        """Number of the first column that has one of these titles."""
        found = [core(title) for title in titles]
        return next((found.index(candidate) for candidate in candidates if candidate in found), None)


def core(title: str) -> str:
    """A title's letters and digits, lower case, without its unit."""
    return _PLAIN.sub("", _UNIT.sub("", title.strip()).casefold())


def marks(*sets: str) -> tuple[frozenset[str], ...]:
    """Sets of marks, each given as words."""
    return tuple(frozenset(words.split()) for words in sets)
