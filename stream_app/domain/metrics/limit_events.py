"""Events beyond the limits of the spec, one number per limit; all of it of lifetimes alone.

The limits, in the order of every list: ``voltage_high_v``, ``voltage_low_v``, ``temperature_high_c``,
``temperature_low_c``, ``soc_high_percent``, ``soc_low_percent``, ``c_rate_high`` (with ``nominal_capacity_ah``) and
``cell_spread_high_v``. A limit that the spec lacks does not limit: its numbers are 0.
"""

from typing import ClassVar

from stream_app.domain.limit_events import COUNTS, EXCESSES, IS_LIFETIME, OPEN_S, STATED, TIMES_S, LimitEvents
from stream_app.domain.metrics._base import AssetSpecs, Metric, MetricValues, Totals, defined_where


class _OfEachLimit(Metric):
    """A number of each limit: which part of the residue it is."""

    sequential_states = (LimitEvents,)
    _part: ClassVar[slice]

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        """Null with ``lifetime_only`` or ``limit_missing``."""
        told = totals.residue(LimitEvents)
        checks = {"lifetime_only": told[:, IS_LIFETIME] > 0, "limit_missing": told[:, STATED] > 0}
        with defined_where(checks) as defined:
            return defined(told[:, self._part])


class LimitEventCount(_OfEachLimit):
    """Events beyond each limit of the spec [1]; lifetime alone.

    Notes
    -----
    In the order voltage high and low, temperature high and low, SoC high (overcharge) and low (deep discharge), C-rate
    high, cell spread high; a limit that the spec lacks does not limit. An event begins with a row beyond the limit, not
    at it, and counts once its rows have lasted 10 s. It ends with a row that is back within by 0.5 % of a voltage, 1 K,
    1 % SoC, or 5 % of the C-rate or the spread. Neither a missing reading nor a gap ends it. A limit that is new, or
    has changed, counts from its asset's newest row on: ``since`` tells.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.5 to 6.7.8.3 (negative events).

    Examples
    --------
    >>> compute("limit_event_count", spec={"voltage_high_v": 900}, dt_s=10, voltage_v=[890, 901, 905, 890, 902, 890])
    [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    name, unit, _part = "limit_event_count", "1", COUNTS


class LimitEventTime(_OfEachLimit):
    """Time of the events beyond each limit of the spec, the open ones included [s]; lifetime alone.

    Notes
    -----
    Limits and events as in ``limit_event_count``. What lies between limit and the event's end is part of it, so this
    may be more than ``time_hot_s`` and the like; excursions of less than 10 s are not in it.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.5 to 6.7.8.3.

    Examples
    --------
    >>> compute("limit_event_s", spec={"voltage_high_v": 900}, dt_s=10, voltage_v=[890, 901, 905, 890, 902, 890])
    [30.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    name, unit, _part = "limit_event_s", "s", TIMES_S


class LimitEventOpen(_OfEachLimit):
    """For how long the event beyond each limit that is open has lasted, 0 where none is [s]; lifetime alone.

    Notes
    -----
    Limits and events as in ``limit_event_count``; the time without that of gaps and missing readings.

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.5 to 6.7.8.3.

    Examples
    --------
    >>> compute("limit_event_open_s", spec={"voltage_high_v": 900}, dt_s=10, voltage_v=[890, 902, 890, 901, 905, 905])
    [20.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    name, unit, _part = "limit_event_open_s", "s", OPEN_S


class LimitEventExcess(_OfEachLimit):
    """How far the reading was beyond each limit in any event, at most [V, K, %, A]; lifetime alone.

    Notes
    -----
    Limits and events as in ``limit_event_count``; 0 where there was none. Of the C-rate it is the current beyond
    ``c_rate_high`` x ``nominal_capacity_ah`` [A].

    References
    ----------
    EU 2023/1542, Annex VII B; DIN DKE SPEC 99100, 6.7.7.5 to 6.7.8.3.

    Examples
    --------
    >>> compute("limit_event_excess", spec={"voltage_high_v": 900}, dt_s=10, voltage_v=[890, 901, 905, 890, 902, 890])
    [5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    name, unit, _part = "limit_event_excess", "V, K, %, A", EXCESSES
