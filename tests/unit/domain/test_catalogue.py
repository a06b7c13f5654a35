"""What a catalogue finds out about its metrics by asking them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.metrics._base import (
    SUM,
    AssetSpecs,
    Columns,
    Field,
    Metric,
    MetricValues,
    Samples,
    Totals,
    defined_where,
)
from stream_app.domain.state import Fleet
from tests.unit.domain.fleets import CATALOGUE


class VoltageSwing(Metric):
    """Path of the voltage [V]."""

    name, unit = "voltage_swing_v", "V"
    fields: ClassVar[dict[str, Field]] = {"path": SUM}

    def contribute(self, samples: Samples) -> Columns:
        return {"path": np.abs(samples.diff("voltage_v", "discharging"))}

    def value(self, totals: Totals, specs: AssetSpecs) -> MetricValues:
        with defined_where({}) as defined:
            return defined(totals["path"])


def test_only_readings_that_are_compared_are_carried() -> None:
    """Of nine columns and three kinds of rows the SoC's; of a metric that compares the voltage that one too."""
    of_soc = (("soc_percent", "any"), ("soc_percent", "charging"), ("soc_percent", "discharging"))
    assert CATALOGUE.carried == of_soc
    assert Catalogue((*REGISTRY.values(), VoltageSwing())).carried == (*of_soc, ("voltage_v", "discharging"))
    assert Catalogue([REGISTRY["soc_mean_percent"]]).carried == ()
    assert Fleet(CATALOGUE, (60,)).floats.carry.shape[1] == 3
