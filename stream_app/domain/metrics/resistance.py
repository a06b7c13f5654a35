"""Resistance by steps of the current, and what it loses."""

from collections.abc import Callable

import numpy as np

from stream_app.columns.arrays import FloatArray
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    At,
    Columns,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
    not_negative,
)
from stream_app.domain.metrics.capacity import OF_SPANS, agrees, few_factor
from stream_app.domain.metrics.deviations import CurrentRms
from stream_app.domain.signal_steps import SignalSteps, Steps
from stream_app.domain.soc_levels import SocLevels

MIN_STEPS = 10
MIN_R_SQUARED = 0.9
#: Uncertainty of the method itself, as a share: what the drift of the step before does not foresee.
RELATIVE_SIGMA_FLOOR = 0.0005
#: By how much the resistance may be off, as a standard uncertainty, of what the steps do not explain.
UNEXPLAINED_SHARE = 1 / 3
#: Steps that are longer on average tell the polarisation too where the current changes between two rows [s].
SHORT_S = 5.0
J_PER_KWH = 3.6e6


class RStep(Metric):
    r"""Resistance by the steps of the current: change of the voltage over change of the current [Ohm].

    .. math:: \frac{\sum_{steps} \Delta I \, \Delta V}{\sum_{steps} \Delta I^2}

    Notes
    -----
    A step lies between two rows at most 12 s apart; it is at least a tenth of the largest current so far, and the
    current moved at most a quarter of it in each of the two steps before. How current and voltage drifted in the step
    before is subtracted: polarisation that still relaxes, and the SoC. Where the voltage drifted by more than 3 % of
    its step, the step is left out, and so is one over a lost row or within two rows after it.

    The value is the ohmic resistance and that part of the polarisation which shows within ``r_step_dt_s``: compare only
    values of like durations and temperatures. Rows more than 12 s apart tell of no resistance.

    The uncertainty comes from the residuals, wider where the steps are few (``capacity_est``), and from a third of
    the share that the steps do not explain: what is unexplained may be one-sided too. It is at least 0.05 %.

    Gated where steps are longer than 5 s on average and ``capacity_est`` is by ``soc_lag_suspect``: then the current
    between two rows is not that of the rows, so nobody knows how long after its change the voltage was read.

    Gated below a coefficient of determination of 0.9, and where the voltage falls as the current rises. Below 0.9 the
    current and the voltage were not read at the same time, or the voltage comes in steps nearly as large as those that
    the current makes: 0.1 V are too coarse for a pack of 50 V.

    References
    ----------
    EU 2023/1542, Annex IV: internal resistance; here by least squares through the origin over the steps of the field.

    Examples
    --------
    >>> compute(
    ...     "r_step", current_a=[0, 0, 0, 50] * 10, voltage_v=[900, 900, 900, 905] * 10
    ... )
    0.1
    """

    name, unit, version, timed = "r_step", "Ohm", 2, False
    fields = {"steps": SUM, "di_di": SUM, "di_dv": SUM, "dv_dv": SUM, "steps_s": SUM}
    statistics = OF_SPANS
    sequential_states = (SignalSteps, SocLevels)

    def contribute(self, samples: Samples) -> Columns:
        """Squares and products of the steps that end at the row."""
        told: Steps | None = samples.events(SignalSteps)
        if told is None:
            return {}
        return {
            "steps": At(told.row, np.ones(len(told.row))),
            "di_di": At(told.row, told.di_a * told.di_a),
            "di_dv": At(told.row, told.di_a * told.dv_v),
            "dv_dv": At(told.row, told.dv_v * told.dv_v),
            "steps_s": At(told.row, told.dt_s),
        }

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps``; gated by ``soc_lag_suspect``, ``sign_suspect`` and ``low_correlation``."""
        return _gated(totals, lambda r_ohm, sigma_ohm: (r_ohm, sigma_ohm))


def _gated(of: Totals, then: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]) -> MetricValues:
    """What follows from the resistance and its uncertainty, where they are valid; ``of`` are totals of ``RStep``."""
    steps, di_di, di_dv, dv_dv = (of[name] for name in ("steps", "di_di", "di_dv", "dv_dv"))
    with np.errstate(over="ignore"):
        gates = {
            "soc_lag_suspect": (of["steps_s"] <= SHORT_S * steps) | agrees(of),
            "sign_suspect": di_dv > 0,
            "low_correlation": di_dv * di_dv >= MIN_R_SQUARED * di_di * dv_dv,
        }
    with defined_where({"too_few_steps": steps >= MIN_STEPS}, gates) as defined:
        r_ohm = di_dv / di_di
        unexplained = not_negative(dv_dv - r_ohm * di_dv)
        scatter_ohm = few_factor(steps) * np.sqrt(unexplained / (steps - 1) / di_di)
        bias_ohm = UNEXPLAINED_SHARE * r_ohm * unexplained / dv_dv
        floor_ohm = RELATIVE_SIGMA_FLOOR * r_ohm
        sigma_ohm = np.sqrt(scatter_ohm * scatter_ohm + bias_ohm * bias_ohm + floor_ohm * floor_ohm)
        return defined(*then(r_ohm, sigma_ohm))


class RStepDt(Metric):
    """Mean duration of the steps that ``r_step`` is told by [s].

    Examples
    --------
    >>> compute("r_step_dt_s", dt_s=2, current_a=[0, 0, 0, 50] * 10, voltage_v=[900, 900, 900, 905] * 10)
    2.0
    """

    name, unit, timed = "r_step_dt_s", "s", False
    reads = (RStep,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps``."""
        of = totals.of(RStep)
        with defined_where({"too_few_steps": of["steps"] >= MIN_STEPS}) as defined:
            return defined(of["steps_s"] / of["steps"])


class OhmicLoss(Metric):
    r"""Energy that the resistance turned into heat [kWh].

    .. math:: \frac{R_{step}}{3.6 \cdot 10^6} \sum I_k^2 \, dt_k

    Notes
    -----
    By the resistance of the same window; ``r_step`` says when that is valid. Its uncertainty is that of the resistance.

    References
    ----------
    Joule's law.

    Examples
    --------
    >>> compute(
    ...     "ohmic_loss_kwh", current_a=[0, 0, 0, 3000] * 10, voltage_v=[900, 900, 900, 1200] * 10
    ... )
    2.25
    """

    name, unit = "ohmic_loss_kwh", "kWh"
    reads = (RStep, CurrentRms)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``too_few_steps``; gated by ``soc_lag_suspect``, ``sign_suspect`` and ``low_correlation``."""
        square = totals.of(CurrentRms)["squared_s"] / J_PER_KWH
        return _gated(totals.of(RStep), lambda r_ohm, sigma_ohm: (r_ohm * square, sigma_ohm * square))
