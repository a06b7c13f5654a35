"""What the metrics of simulated assets are, beside their truths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.asset import AssetSpec
from stream_app.domain import ingestion, views
from stream_app.domain.catalogue import Catalogue
from stream_app.domain.metrics import REGISTRY
from stream_app.domain.rows import COLUMNS, Rows
from stream_app.domain.state import Fleet
from tests.accuracy.kinds import KINDS

#: Metrics whose truth a simulation knows.
ASSESSED: Final = tuple(name for name in ("rte_level", "capacity_est", "r_step") if name in REGISTRY)
_START_US: Final = 1_740_787_200_000_000  # 2025-03-01T00:00:00Z


@dataclass(frozen=True)
class Estimate:
    """A metric of an asset beside its truth; NaN and a reason where it is null."""

    kind: str
    asset: int
    metric: str
    truth: float
    value: float
    sigma: float
    reason: str


def estimates(kind: str, assets: range, seed: int) -> Iterator[Estimate]:
    """Simulate assets of a kind and read their lifetimes."""
    catalogue = Catalogue()
    for asset in assets:
        readings, course, nominal_ah = KINDS[kind].made((seed, list(KINDS).index(kind), asset))
        fleet = Fleet(catalogue, (86_400,))
        slot = fleet.slot("simulated")
        fleet.set_spec(slot, AssetSpec(nominal_capacity_ah=nominal_ah))
        n = len(readings.time_us)
        columns = {name: getattr(readings, name) for name in COLUMNS if hasattr(readings, name)}
        ingestion.apply(fleet, Rows(np.full(n, slot), np.arange(n), _START_US + readings.time_us, columns))
        ingestion.finish(fleet, slot, n)
        life = views.read(fleet, views.current(fleet, np.array([slot])), closed=False).by_metric
        for metric in ASSESSED:
            found = life[metric]
            sigma = np.nan if found.sigma is None else float(found.sigma[0])
            truth = course.truths[metric]
            yield Estimate(kind, asset, metric, truth, float(found.value[0]), sigma, found.reason[0])
