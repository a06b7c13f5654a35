"""What a metric's docstring says, section by section: the catalogue that users read is made of it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

from stream_app.domain.metrics._base import Metric

_HEADING = re.compile(r"^(\w+)\n-+\n", re.MULTILINE)
_FORMULA = re.compile(r"^\.\. math::\s*((?:.+\n?)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Description:
    """The parts of a metric's docstring.

    Parameters
    ----------
    summary
        The first paragraph in one line, with the unit in brackets.
    formula
        TeX of ``.. math::``; None where the summary says it in words.
    notes
        Paragraphs on when the value is valid.
    reference
        Standard or source in one line.
    example
        Lines of an interpreter, from ``>>>`` on.
    """

    summary: str
    formula: str | None
    notes: tuple[str, ...]
    reference: str | None
    example: str | None


def describe(metric: Metric) -> Description:
    """Read the docstring of a metric."""
    introduction, *sections = _HEADING.split(inspect.getdoc(metric) or "")
    section = dict(zip(sections[::2], sections[1::2], strict=True))
    formula = _FORMULA.search(introduction)
    reference = _paragraphs(section.get("References", ""))
    return Description(
        summary=_paragraphs(introduction)[0] if introduction else "",
        formula=_in_one_line(formula[1]) if formula else None,
        notes=_paragraphs(section.get("Notes", "")),
        reference=reference[0] if reference else None,
        example=section["Examples"].strip() if "Examples" in section else None,
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(_in_one_line(paragraph) for paragraph in text.strip().split("\n\n") if paragraph)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
