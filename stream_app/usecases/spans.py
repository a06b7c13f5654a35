"""Rolling look-ups: which windows make a span of time, and what they come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.asset import window_size_name, window_size_s
from stream_app.domain.views import Readings
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.window_sizes import asked_size_s

#: A span is made of so many windows at least, where these are kept: its begin is then exact to a tenth of it.
_FINE: Final = 10


@dataclass(frozen=True, slots=True)
class KeptWindows:
    """How many closed windows of an asset the tables keep: by size [s], and of sizes that are not named."""

    by_size_s: Mapping[int, int]
    default: int

    def of(self, size_s: int) -> int:
        """Closed windows of a size to keep."""
        return self.by_size_s.get(size_s, self.default)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time that ends with the newest window, and of what windows it is made.

    Parameters
    ----------
    size
        The span as it was asked for.
    size_s, pane_s
        Length of the span, and of the windows that it is made of [s].
    """

    size: str
    size_s: int
    pane_s: int

    @property
    def pane(self) -> str:
        """Size of the windows by name."""
        return window_size_name(self.pane_s)


@dataclass(frozen=True, slots=True)
class SpanRead:
    """What the windows of a span come to.

    Parameters
    ----------
    readings
        Of one window, whose size is the span's.
    windows
        Windows with rows that it is made of, the open one among them.
    begin, end
        From where the span counts, and the newest stamp in it (ISO 8601, UTC).
    """

    span: Span
    readings: Readings
    windows: int
    begin: str
    end: str


def span_of(size: str, windows: Sequence[str], kept: KeptWindows) -> Span:
    """Choose the windows for a span: the largest of which ten make it, else the smallest that are kept for so long.

    InvalidError: it is not the size of a window, no window size divides it, or it reaches beyond what is kept.
    """
    size_s = asked_size_s(size, "span")
    sizes_s = [window_size_s(name) for name in windows]
    dividing = [pane_s for pane_s in sizes_s if size_s % pane_s == 0]
    if not dividing:
        detail = (
            f"no window size of the asset divides {size}: it has windows of {', '.join(windows)}. "
            f"Ask for a multiple of {windows[0]}"
        )
        raise InvalidError("span_not_divisible", detail, column="span")
    reaching = [pane_s for pane_s in dividing if size_s <= _longest_s(pane_s, kept)]
    if not reaching:
        most = ", ".join(f"of {window_size_name(s)} up to {window_size_name(_longest_s(s, kept))}" for s in sizes_s)
        detail = (
            f"the closed windows that are kept do not make {size}. Ask for a multiple {most}; "
            "STREAM_KEEP_WINDOWS keeps more"
        )
        raise InvalidError("span_not_kept", detail, column="span")
    fine = [pane_s for pane_s in reaching if size_s >= _FINE * pane_s]
    return Span(size, size_s, max(fine) if fine else min(reaching))


def _longest_s(pane_s: int, kept: KeptWindows) -> int:
    """Longest span of windows of one size: the closed ones that are kept, and the open one."""
    return pane_s * (kept.of(pane_s) + 1)
