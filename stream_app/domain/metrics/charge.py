"""Charge in and out, and the number of full cycles that they make."""

from typing import ClassVar

import numpy as np

from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where

AS_PER_AH = 3600.0


class _Charge(Metric):
    unit = "Ah"
    _of: ClassVar[str]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``no_valid_steps`` where no step with a known current has a known duration."""
        with defined_where({"no_valid_steps": totals["current_s"] > 0}) as defined:
            return defined(totals[self._of] / AS_PER_AH)


class ChargeIn(_Charge):
    """Charge put in: sum of I dt over charging steps [Ah]; steps as in ``energy_in_kwh``.

    References
    ----------
    Battery Data Format, charging_capacity_ah.

    Examples
    --------
    >>> compute("charge_in_ah", dt_s=3600, current_a=[40, 40, -40, -40])
    80.0
    """

    name, statistics, _of = "charge_in_ah", ("charge_in_as", "current_s"), "charge_in_as"


class ChargeOut(_Charge):
    """Charge taken out: sum of -I dt over discharging steps [Ah]; steps as in ``energy_in_kwh``.

    References
    ----------
    Battery Data Format, discharging_capacity_ah.

    Examples
    --------
    >>> compute("charge_out_ah", dt_s=3600, current_a=[40, 40, -40, -40])
    40.0
    """

    name, statistics, _of = "charge_out_ah", ("charge_out_as", "current_s"), "charge_out_as"


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

    name, unit = "equivalent_full_cycles", "1"
    statistics = ("charge_in_as", "charge_out_as", "current_s")

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``capacity_missing`` or ``no_valid_steps``."""
        checks = {"capacity_missing": ~np.isnan(specs.capacity_ah), "no_valid_steps": totals["current_s"] > 0}
        with defined_where(checks) as defined:
            return defined((totals["charge_in_as"] + totals["charge_out_as"]) / (2 * AS_PER_AH * specs.capacity_ah))
