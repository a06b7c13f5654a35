"""What crossings of levels of the state of charge tell: ends of trips and spans, and gaps."""

from __future__ import annotations

from dataclasses import dataclass

from stream_app.columns.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Crossings:
    """Crossings that end a trip or a span, and gaps, in row order, each array of shape ``(c,)``.

    ``trip`` is 1 where a trip of known energy ends, ``charged`` where one of known charge does, ``span`` where a span
    does; else they are 0, and so are its numbers. The charge and the time of a span are < 0 where the SoC falls.
    ``held_j2`` is the variance of the energy that was held over lost rows since the crossing that was told before. An
    event that is a gap has the energies that it is filled with, or else ``unfilled`` is 1; all its other numbers are 0.
    """

    row: IntArray
    level: FloatArray
    trip: FloatArray
    charged: FloatArray
    in_j: FloatArray
    out_j: FloatArray
    in_as: FloatArray
    out_as: FloatArray
    trip_s: FloatArray
    span: FloatArray
    span_in_as: FloatArray
    span_out_as: FloatArray
    gap_in_j: FloatArray
    gap_out_j: FloatArray
    unfilled: FloatArray
    held_j2: FloatArray
    span_s: FloatArray

    @property
    def span_in_in(self) -> FloatArray:
        """Square of the span's charge in [A2s2]."""
        return self.span_in_as * self.span_in_as

    @property
    def span_in_out(self) -> FloatArray:
        """Product of the span's charges [A2s2]."""
        return self.span_in_as * self.span_out_as

    @property
    def span_out_out(self) -> FloatArray:
        """Square of the span's charge out [A2s2]."""
        return self.span_out_as * self.span_out_as
