"""Whether current, voltage and state of charge belong together; all of them of lifetimes alone."""

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where, not_negative
from stream_app.domain.metrics.deviations import CurrentRms
from stream_app.domain.metrics.extremes import CurrentMean
from stream_app.domain.signal_steps import SignalSteps
from stream_app.domain.soc_blocks import LONG_SUMS, SHORT_SUMS, SocBlocks

MIN_STEPS = 100
MIN_BLOCKS = 5
#: Correlations that are both negative, and by more than this, mean a current of the wrong sign.
CLEARLY = 0.2
#: Share of the mean square below which a variance is rounding.
RESOLVED = 1e-9


def _correlations(totals: Totals) -> tuple[FloatArray, FloatArray]:
    """Of dI and dV, and of the charge and the change of the SoC in blocks; NaN where unknown."""
    steps, blocks = totals.residue(SignalSteps), totals.residue(SocBlocks)[:, SHORT_SUMS : SHORT_SUMS + 4]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        by_voltage = steps[:, 3] / np.sqrt(steps[:, 2] * steps[:, 4])
        by_soc = blocks[:, 2] / np.sqrt(blocks[:, 1] * blocks[:, 3])
        known = np.where(steps[:, 1] >= MIN_STEPS, by_voltage, np.nan)
        return known, np.where(blocks[:, 0] >= MIN_BLOCKS, by_soc, np.nan)


class VoltageCurrentCorrelation(Metric):
    r"""Correlation of the steps of current and voltage [1]; lifetime alone.

    .. math:: \frac{\sum \Delta I \, \Delta V}{\sqrt{\sum \Delta I^2 \sum \Delta V^2}}

    Notes
    -----
    Voltage rises with a charging current. Gated where it does not: ``sign_suspect`` if the SoC contradicts the current
    too (both correlations below -0.2), else ``v_i_skew_suspect``: the voltage was read later or earlier than the
    current. Nothing is turned round; the spec's ``current_sign`` does that.

    References
    ----------
    Pearson's correlation about zero.

    Examples
    --------
    >>> compute("voltage_current_correlation", current_a=[0, 50] * 60, voltage_v=[900, 905] * 60)
    1.0
    """

    name, unit, timed = "voltage_current_correlation", "1", False
    sequential_states = (SignalSteps, SocBlocks)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps``; gated by ``sign_suspect`` and ``v_i_skew_suspect``."""
        by_voltage, by_soc = _correlations(totals)
        gates = {
            "sign_suspect": ~((by_voltage < -CLEARLY) & (by_soc < -CLEARLY)),
            "v_i_skew_suspect": by_voltage >= 0,
        }
        with defined_where({"too_few_steps": ~np.isnan(by_voltage)}, gates) as defined:
            return defined(by_voltage)


class SocChargeCorrelation(Metric):
    r"""Correlation of charge and change of the SoC over blocks of one hour [1]; lifetime alone.

    .. math:: \frac{\sum \Delta S \, \Delta Q}{\sqrt{\sum \Delta S^2 \sum \Delta Q^2}}

    Notes
    -----
    Gated where the SoC falls as charge flows in: ``sign_suspect`` if the voltage contradicts the current too (both
    correlations below -0.2), else ``soc_suspect``: it may be a depth of discharge.

    References
    ----------
    Pearson's correlation about zero.

    Examples
    --------
    >>> compute(
    ...     "soc_charge_correlation", dt_s=1800, current_a=[50, 50, -50, -50] * 4, soc_percent=[20, 45, 70, 45] * 4
    ... )
    1.0
    """

    name, unit, timed = "soc_charge_correlation", "1", False
    sequential_states = (SignalSteps, SocBlocks)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_blocks``; gated by ``sign_suspect`` and ``soc_suspect``."""
        by_voltage, by_soc = _correlations(totals)
        gates = {
            "sign_suspect": ~((by_voltage < -CLEARLY) & (by_soc < -CLEARLY)),
            "soc_suspect": by_soc >= 0,
        }
        with defined_where({"too_few_blocks": ~np.isnan(by_soc)}, gates) as defined:
            return defined(by_soc)


class _SocDeviation(Metric):
    unit, timed = "%", False
    sequential_states = (SocBlocks,)
    _sums: int

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_blocks`` or ``no_charge``."""
        told, at = totals.residue(SocBlocks), self._sums
        blocks, squares, products, charges = (told[:, at + x] for x in range(4))
        checks = {"too_few_blocks": blocks >= MIN_BLOCKS, "no_charge": charges > 0}
        with defined_where(checks) as defined:
            rest = squares - products * products / charges
            return defined(np.sqrt(not_negative(rest) / (blocks - 1)))


class SocDeviationHour(_SocDeviation):
    r"""What the change of the SoC over an hour differs by from the charge over the capacity [%]; lifetime alone.

    .. math:: \sqrt{\frac{1}{n - 1} \sum_{blocks} \left(\Delta S - \frac{\Delta Q}{C}\right)^2}

    Notes
    -----
    Root mean square over blocks of at least one hour without a gap, by the capacity C that makes it smallest, so a
    wrong nameplate is not an error of the SoC. Of a sound pack it is near the resolution of its SoC.

    References
    ----------
    Coulomb counting as reference of the SoC; least squares.

    Examples
    --------
    >>> compute(
    ...     "soc_error_1h_percent", dt_s=1800, current_a=[64, 64, -64, -64] * 4, soc_percent=[16, 48, 80, 48] * 4
    ... )
    0.0
    """

    name, _sums = "soc_error_1h_percent", SHORT_SUMS

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_blocks`` or ``no_charge``."""
        return super().value(totals, specs)


class SocDeviationFourHours(_SocDeviation):
    """The same as ``soc_error_1h_percent`` over blocks of four hours [%]: a SoC that wanders slowly shows here.

    Examples
    --------
    >>> compute(
    ...     "soc_error_4h_percent", dt_s=3600, current_a=([16] * 4 + [-16] * 4) * 4,
    ...     soc_percent=[16, 32, 48, 64, 80, 64, 48, 32] * 4
    ... )
    0.0
    """

    name, _sums = "soc_error_4h_percent", LONG_SUMS

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_blocks`` or ``no_charge``."""
        return super().value(totals, specs)


class CurrentAliasing(Metric):
    r"""Change of the current from row to row over how far it varies at all [1]; lifetime alone.

    .. math:: \frac{\sqrt{\sum \Delta I^2 / n}}{\sqrt{2} \, \sigma_I}

    Notes
    -----
    Near 0 the rows follow the current; near 1 they are as good as drawn at random, and energy and charge have the error
    of a random sample. Of rows with current and voltage.

    References
    ----------
    Von Neumann's ratio of the mean square successive difference to the variance, 1941, doi:10.1214/aoms/1177731677.

    Examples
    --------
    >>> compute(
    ...     "current_aliasing", current_a=([50] * 60 + [-50] * 60) * 2, voltage_v=[900] * 240
    ... )
    0.15844570684245982
    """

    name, unit, timed = "current_aliasing", "1", False
    sequential_states = (SignalSteps,)
    reads = (CurrentMean, CurrentRms)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps`` or ``no_load``."""
        told, mean, square = totals.residue(SignalSteps), totals.of(CurrentMean), totals.of(CurrentRms)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            average = mean["reading_s"] / square["current_s"]
            squares = square["squared_s"] / square["current_s"]
            variance = squares - average * average
        checks = {"too_few_steps": told[:, 1] >= MIN_STEPS, "no_load": variance > RESOLVED * squares}
        with defined_where(checks) as defined:
            return defined(np.sqrt(told[:, 2] / told[:, 1] / 2 / variance))
