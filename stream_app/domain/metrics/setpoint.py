"""How closely the power follows its set-point; all of it of lifetimes alone."""

import numpy as np

from stream_app.columns.arrays import BoolArray, FloatArray
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where
from stream_app.domain.setpoint_errors import (
    ABSOLUTE_WS,
    IS_LIFETIME,
    LARGEST_W,
    NEAR_S,
    READ_S,
    SQUARED_W2S,
    SetpointErrors,
)


def _checks(told: FloatArray) -> dict[str, BoolArray]:
    """What must hold for the errors to be known."""
    return {
        "lifetime_only": told[:, IS_LIFETIME] > 0,
        "setpoint_missing": told[:, LARGEST_W] >= 0,
        "no_valid_steps": told[:, READ_S] > 0,
    }


class SetpointRmse(Metric):
    r"""Root mean square of the power's error against its set-point over time [W]; lifetime alone.

    .. math:: \sqrt{\frac{\sum (P_k - P^{set}_k)^2 \, dt_k}{\sum dt_k}}

    Notes
    -----
    Of steps with a power (measured, or I V) and a set-point, the column ``power_setpoint``. A row without a set-point
    does not repeat the last one: it is left out.

    References
    ----------
    PNNL-22010 (protocol for energy storage performance), reference signal tracking.

    Examples
    --------
    >>> compute("setpoint_rmse_w", power_w=[101, 93, 100], power_setpoint_w=[100, 100, 100])
    5.0
    """

    name, unit = "setpoint_rmse_w", "W"
    sequential_states = (SetpointErrors,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``setpoint_missing`` or ``no_valid_steps``."""
        told = totals.residue(SetpointErrors)
        with defined_where(_checks(told)) as defined:
            return defined(np.sqrt(told[:, SQUARED_W2S] / told[:, READ_S]))


class SetpointMae(Metric):
    r"""Mean size of the power's error against its set-point over time [W]; lifetime alone.

    .. math:: \frac{\sum |P_k - P^{set}_k| \, dt_k}{\sum dt_k}

    Notes
    -----
    Of the same steps as ``setpoint_rmse_w``, which counts large errors more.

    References
    ----------
    PNNL-22010 (protocol for energy storage performance), reference signal tracking.

    Examples
    --------
    >>> compute("setpoint_mae_w", power_w=[101, 93, 100], power_setpoint_w=[100, 100, 100])
    4.0
    """

    name, unit = "setpoint_mae_w", "W"
    sequential_states = (SetpointErrors,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``setpoint_missing`` or ``no_valid_steps``."""
        told = totals.residue(SetpointErrors)
        with defined_where(_checks(told)) as defined:
            return defined(told[:, ABSOLUTE_WS] / told[:, READ_S])


class SetpointTrackedShare(Metric):
    """Share of the time in which the power's error was at most 2 % of the largest set-point so far [1]; lifetime alone.

    Notes
    -----
    Of the same steps as ``setpoint_rmse_w``. No field of the spec is the rated power, so the largest set-point of the
    row and those before stands for it. An asset that is never asked for its rated power is judged by less: the share
    is then a lower bound of that by the rated power.

    References
    ----------
    PNNL-22010 (protocol for energy storage performance), reference signal tracking; here by the largest set-point.

    Examples
    --------
    >>> compute("setpoint_tracked_share", power_w=[101, 93, 100], power_setpoint_w=[100, 100, 100])
    0.5
    """

    name, unit = "setpoint_tracked_share", "1"
    sequential_states = (SetpointErrors,)

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only``, ``setpoint_missing`` or ``no_valid_steps``."""
        told = totals.residue(SetpointErrors)
        with defined_where(_checks(told)) as defined:
            return defined(told[:, NEAR_S] / told[:, READ_S])
