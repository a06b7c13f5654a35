"""Numbers as a file writes them: its decimal mark, its thousands, and its marks of no value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from schemas.file import FileSpec
from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.usecases.errors import InvalidError

#: What stands for "not measured", lower case.
NO_VALUE: Final = frozenset(
    ["", "nan", "-nan", "null", "(null)", "none", "na", "n/a", "n.a.", "#n/a", "#n/v", "#nv", "nil", "nat", "<na>"]
).union(
    ["-", "--", "---", "?", "*", "**", "\\n", "1.#qnan", "-1.#ind", "unknown", "unavailable", "undefined"],
    ["not available", "missing", "no data", "nodata", "n.d.", "nd", "n/d", "void", "invalid", "not measured", "k.a."],
    ["#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!", "#wert!", "#bezug!", "#zahl!"],  # of spreadsheets
    ["bad", "bad input", "bad data", "i/o timeout", "comm fail", "no good data", "pt created", "intf shut", "scan off"],
    ["err", "error", "fault", "fail", "failed", "overflow", "over range", "under range", "offline", "disconnected"],
)
_POINTED: Final = re.compile(r"[+-]?(?:\d*\.\d+|\d+\.)(?:[eE][+-]?\d+)?")
_COMMAED: Final = re.compile(r"[+-]?(?:\d*,\d+|\d+,)(?:[eE][+-]?\d+)?")
#: May be thousands, or three decimals.
_GROUPED: Final = {mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:\{mark}\d{{3}})+") for mark in ".,"}
#: Thousands beyond doubt: several groups, or a decimal mark behind them.
_SURELY_GROUPED: Final = {
    mark: re.compile(rf"[+-]?\d{{1,3}}(?:(?:\{mark}\d{{3}}){{2,}}|(?:\{mark}\d{{3}})+\{decimal}\d*)")
    for mark, decimal in ((".", ","), (",", "."))
}
_SPACED: Final = re.compile(r"(?<=\d)[ '\u00a0\u202f\u2019](?=\d{3}(?:\D|$))")


_SUFFIXED: Final = re.compile(r"[+-]?\d[\d.,]*\s*([^\W\d_][\w°%/]*|[%°‰][\w]*)")
_MOST: Final = 0.9


def suffix_of(cells: Sequence[str]) -> str:
    """What stands behind nearly all numbers of a column; empty when there is no such thing."""
    filled = [text for cell in cells if (text := cell.strip()).casefold() not in NO_VALUE]
    first = next((match[1] for text in filled[:20] if (match := _SUFFIXED.fullmatch(text))), "")
    if not first or (first.casefold().startswith("e") and first[1:].isdecimal()):
        return ""
    ending = sum(1 for text in filled if (match := _SUFFIXED.fullmatch(text)) and match[1] == first)
    return first if ending >= _MOST * len(filled) else ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a file writes numbers.

    Parameters
    ----------
    mark
        The decimal mark.
    thousands
        What groups digits, empty when nothing does.
    no_value
        Cells that stand for a missing reading in this file, lower case.
    """

    mark: Literal[".", ","] = "."
    thousands: str = ""
    no_value: frozenset[str] = frozenset()

    def read(self, cells: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """Values, NaN where not measured, and which cells are as they must be; both of shape ``(n,)``."""
        if self.mark == "." and not self.thousands and not self.no_value:
            text = "".join(cells)
            if text.isascii() and "_" not in text and "n" not in text and "N" not in text:
                try:
                    values = np.fromiter(map(float, cells), np.float64, len(cells))
                except ValueError:
                    pass
                else:
                    return values, np.isfinite(values)
        values = np.full(len(cells), np.nan)
        ok = np.ones(len(cells), np.bool_)
        for i, cell in enumerate(cells):
            stripped = cell.strip()
            if (lower := stripped.casefold()) in NO_VALUE or lower in self.no_value:
                continue
            value = self._number(stripped)
            ok[i] = value is not None
            values[i] = np.nan if value is None else value
        return values, ok

    def _number(self, text: str) -> float | None:
        text = text.replace("\u2212", "-")  # a minus sign
        if text.startswith(('="', "'")):  # a spreadsheet's way to say text
            text = text.strip("=\"'")
        text = _SPACED.sub("", text)
        if self.mark == ",":
            if "." in text:
                if not (_GROUPED["."].fullmatch(text) or _SURELY_GROUPED["."].fullmatch(text)):
                    return None
                text = text.replace(".", "")
            text = text.replace(",", ".")
        elif "," in text:
            if not (self.thousands == "," and _GROUPED[","].fullmatch(text)) and not _SURELY_GROUPED[","].fullmatch(
                text
            ):
                return None
            text = text.replace(",", "")
        try:
            value = float(text) if "_" not in text and text.isascii() else float("nan")
        except ValueError:
            return None
        return value if np.isfinite(value) else None


def decide(cells: Iterable[str], separator: str, spec: FileSpec) -> tuple[Numbers, list[str]]:
    """How a file writes numbers, from cells of its columns of readings; and what there is to say about it.

    Raises
    ------
    InvalidError
        When both marks are used as decimal marks, or one may be either.
    """
    given, no_value = spec.decimal, frozenset(map(str.casefold, spec.no_value))
    commas = points = grouped_commas = grouped_points = sure_commas = sure_points = 0
    for cell in cells:
        text = _SPACED.sub("", cell.strip())
        sure_commas += bool(_SURELY_GROUPED[","].fullmatch(text))
        sure_points += bool(_SURELY_GROUPED["."].fullmatch(text))
        if _COMMAED.fullmatch(text):
            may_be = bool(_GROUPED[","].fullmatch(text))
            grouped_commas, commas = grouped_commas + may_be, commas + (not may_be)
        elif _POINTED.fullmatch(text):
            may_be = bool(_GROUPED["."].fullmatch(text))
            grouped_points, points = grouped_points + may_be, points + (not may_be)
    if given == "comma" or (given is None and (commas or sure_points)):
        if given is None and (points or sure_commas):
            detail = "both , and . are decimal marks in the file's numbers: write all of them in the same way"
            raise InvalidError("bad_number", f"{detail}, or say which one it is (--decimal point or comma)", 0)
        notes = ["numbers have a decimal comma"]
        if grouped_points or sure_points:
            notes.append("dots in numbers group thousands: 1.250 is read as 1250")
        return Numbers(",", "." if grouped_points or sure_points else "", no_value), notes
    if given == "point" or points or sure_commas or grouped_points:
        if (grouped_commas and given is None and not points and not sure_commas) or (grouped_points and grouped_commas):
            detail = "numbers such as 1,250 and 1.250 stand side by side: which mark is the decimal one?"
            raise InvalidError("bad_number", f"{detail} Say --decimal point or --decimal comma", 0)
        if grouped_commas or sure_commas:
            return Numbers(".", ",", no_value), ["commas in numbers group thousands: 1,250 is read as 1250"]
        return Numbers(no_value=no_value), []
    if grouped_commas:
        if separator == ",":
            detail = "numbers such as 1,250 may be 1250 or 1.25: say --decimal point or --decimal comma"
            raise InvalidError("bad_number", detail, 0)
        return Numbers(",", no_value=no_value), ["numbers have a decimal comma: 1,250 is read as 1.25"]
    return Numbers(no_value=no_value), []
