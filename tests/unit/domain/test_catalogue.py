"""What a catalogue finds out about its metrics by asking them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    Columns,
    Field,
    Metric,
    Reading,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.state import Fleet
from tests.unit.domain.fleets import CATALOGUE, START_US, fed


class VoltageSwing(Metric):
    """Path of the voltage [V]; on request it asks for it only where the voltage is high."""

    name, unit, sometimes = "voltage_swing_v", "V", False
    fields: ClassVar[dict[str, Field]] = {"path": SUM}

    def contribute(self, samples: Samples) -> Columns:
        if self.sometimes and not (samples.voltage_v > 900).any():
            return {"path": np.zeros(len(samples))}
        return {"path": np.abs(samples.diff("voltage_v", "discharging"))}

    def value(self, totals: Totals, specs: AssetSpecs) -> Reading:
        with defined_where({}) as defined:
            return defined(totals["path"])


class SometimesSwing(VoltageSwing):
    """The same, asked for depending on the rows [V]."""

    name, sometimes = "sometimes_swing_v", True


def test_only_readings_that_are_compared_are_carried() -> None:
    """Of nine columns and three kinds of rows the SoC's; of a metric that compares the voltage that one too."""
    of_soc = (("soc_percent", "any"), ("soc_percent", "charging"), ("soc_percent", "discharging"))
    assert CATALOGUE.carried == of_soc
    assert Catalogue((*REGISTRY.values(), VoltageSwing())).carried == (*of_soc, ("voltage_v", "discharging"))
    assert Catalogue([REGISTRY["soc_mean_percent"]]).carried == ()
    assert Fleet(CATALOGUE, (60,)).floats.carry.shape[1] == 3


@pytest.mark.parametrize("voltage", [800, 950])
def test_a_difference_that_was_not_asked_for_at_the_start_is_told(voltage: float) -> None:
    """It would begin anew in each batch: better an error that names it."""
    fleet = Fleet(Catalogue([SometimesSwing()]), (60,))
    rows = [
        {"asset": "a", "offset": i, "time_us": START_US + i * 1_000_000, "current": -1, "voltage": voltage}
        for i in range(3)
    ]
    if voltage == 800:
        fed(fleet, rows)
        return
    with pytest.raises(LookupError, match=r"diff\('voltage_v', 'discharging'\).*whatever the rows hold"):
        fed(fleet, rows)
