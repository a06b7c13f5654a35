"""Tables in a markdown page, each between its two marks; what stands around them is left as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


class MarkMissingError(Exception):
    """A page has no place for a table."""


def filled(page: str, tables: Mapping[str, str]) -> str:
    """Put tables into a page, by the names that its marks have.

    Raises
    ------
    MarkMissingError
        The page has no place for one of them.
    """
    for name, text in tables.items():
        begin, end = _marks(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            msg = f"no place for the table {name!r}: put {begin} and {end} where the table belongs"
            raise MarkMissingError(msg)
        page = f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
    return page


def check(file: Path, names: Iterable[str]) -> None:
    """Raise MarkMissingError now rather than when everything has been measured."""
    if file.exists():
        filled(file.read_text("utf-8"), dict.fromkeys(names, ""))


def write(file: Path, tables: Mapping[str, str]) -> None:
    """Fill a page in; make it, with nothing else in it, if it is not there."""
    if file.exists():
        page = file.read_text("utf-8")
    else:
        page = "\n\n".join("\n\n".join(_marks(name)) for name in tables) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(filled(page, tables), "utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- table {name} -->", f"<!-- end of {name} -->"
