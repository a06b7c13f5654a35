"""Charge in and out, and the number of full cycles that they make."""

from typing import ClassVar

import numpy as np

from stream_app.columns.arrays import BoolArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where

AS_PER_AH = 3600.0


def current_checks(totals: Totals) -> dict[str, BoolArray]:
    """What must hold for a charge to be known."""
    return {"no_valid_steps": totals["valid_s"] > 0, "current_missing": totals["current_s"] > 0}


class _Charge(Metric):
    unit, version = "Ah", 2
    _of: ClassVar[str]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps`` or ``current_missing``."""
        with defined_where(current_checks(totals)) as defined:
            return defined(totals[self._of] / AS_PER_AH)


class ChargeIn(_Charge):
    """Charge put in: sum of I dt over steps with I > 0 [Ah].

    Notes
    -----
    Charge in less charge out is the mean current times the time.

    References
    ----------
    Battery Data Format, charging_capacity_ah.

    Examples
    --------
    >>> compute("charge_in_ah", dt_s=3600, current_a=[40, 40, -40, -40])
    80.0
    """

    name, statistics, _of = "charge_in_ah", ("charge_in_as", "valid_s", "current_s"), "charge_in_as"


class ChargeOut(_Charge):
    """Charge taken out: sum of -I dt over steps with I < 0 [Ah].

    References
    ----------
    Battery Data Format, discharging_capacity_ah.

    Examples
    --------
    >>> compute("charge_out_ah", dt_s=3600, current_a=[40, 40, -40, -40])
    40.0
    """

    name, statistics, _of = "charge_out_ah", ("charge_out_as", "valid_s", "current_s"), "charge_out_as"


class EquivalentFullCycles(Metric):
    r"""Equivalent full cycles by charge: charge in plus charge out over twice the nominal capacity [1].

    .. math:: \frac{Q_{in} + Q_{out}}{2 \, C_{nom}}

    References
    ----------
    EU 2023/1542 Annex VII (full equivalent cycles); throughput over twice the nominal capacity.

    Examples
    --------
    >>> compute("equivalent_full_cycles", dt_s=3600, nominal_capacity_ah=40, current_a=[40, -40, 0])
    1.0
    """

    name, unit, version = "equivalent_full_cycles", "1", 2
    statistics = ("charge_in_as", "charge_out_as", "valid_s", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing``, ``no_valid_steps`` or ``current_missing``."""
        with defined_where({"capacity_missing": ~np.isnan(specs.capacity_ah)} | current_checks(totals)) as defined:
            return defined((totals["charge_in_as"] + totals["charge_out_as"]) / (2 * AS_PER_AH * specs.capacity_ah))
