"""What changed in the state of a partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_app.columns.arrays import IntArray
from stream_app.domain.views import Windows
from stream_app.usecases.ports import DeadLetter


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a partition's state since its last written checkpoint, as of one moment.

    Parameters
    ----------
    slots
        Assets that changed, ascending.
    published
        Assets whose lifetimes and open windows are published, ascending.
    forgotten
        Assets that are gone, with the offset of the control that said so.
    closed
        Windows that closed, in the order in which they did.
    dead_letters
        What was not applied.
    """

    slots: IntArray
    published: IntArray
    forgotten: Mapping[str, int]
    closed: Sequence[Windows]
    dead_letters: Sequence[DeadLetter]
