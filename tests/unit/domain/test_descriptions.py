"""Docstrings of metrics, read section by section."""

from __future__ import annotations

from stream_app.domain.descriptions import Description, describe
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where


class _Half(Metric):
    r"""Half of everything that was counted [1]; see ``energy_in_kwh``.

    .. math:: \frac{1}{2}
              \sum x

    Notes
    -----
    Not valid at night.

    Nor in
    winter.

    References
    ----------
    IEC 1,
    page 2.

    Examples
    --------
    >>> compute("half", current_a=[1])
    0.5
    """

    name, unit = "half", "1"

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(totals.span_s / 2)


class _Bare(_Half):
    """Nothing but a line [1]."""


def test_every_section_is_read() -> None:
    """Paragraphs come in one line each; an example keeps its lines."""
    assert describe(_Half()) == Description(
        summary="Half of everything that was counted [1]; see ``energy_in_kwh``.",
        formula=r"\frac{1}{2} \sum x",
        notes=("Not valid at night.", "Nor in winter."),
        reference="IEC 1, page 2.",
        example='>>> compute("half", current_a=[1])\n0.5',
    )


def test_sections_may_be_missing() -> None:
    """A docstring of one line is a summary."""
    nothing = Description("Nothing but a line [1].", None, (), None, None)
    assert describe(_Bare()) == nothing
