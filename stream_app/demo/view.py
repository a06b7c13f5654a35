"""The demo's live view: places to look at, rows per second, metrics of each asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from schemas.lookup import AssetAnswer
from stream_app.terminal import value_text

#: Metrics of the live view and their headings.
SHOWN: Final = {
    "rte_level": "RTE",
    "soc_mean_percent": "mean SoC %",
    "energy_in_kwh": "in kWh",
    "energy_out_kwh": "out kWh",
    "c_rate_v1": "C-rate v1",
    "equivalent_full_cycles": "cycles",
    "rte_v1": "old rte (API v1, no efficiency)",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the demo saw when it last asked the worker."""

    phase: str
    assets: tuple[AssetAnswer, ...] = ()
    rows: int = 0
    rows_per_s: float = 0.0
    lag: int | None = None

    @property
    def line(self) -> str:
        """The same in one line, for a log."""
        lag = "?" if self.lag is None else self.lag
        newest = max((asset.last_time or "" for asset in self.assets), default="")
        return (
            f"{self.phase} · {len(self.assets)} assets · {self.rows} rows · {self.rows_per_s:.0f} rows/s · lag {lag}"
            + (f" · event time {newest}" if newest else "")
        )


def links(url: str, broker: str, log: str, sample: str, *, has_history: bool) -> list[tuple[str, str]]:
    """Return the places worth a look, each with its name; ``sample`` is a file to upload."""
    asset = f"{url}/api/v1/assets/demo-01"
    past = f"{asset}/history?metric=soc_mean_percent&size=15m"
    return [
        ("try the API", f"{url}/docs"),
        ("look up an asset", asset),
        *([("its past", past)] if has_history else []),
        ("all metrics", f"{url}/api/v1/catalogue"),
        ("upload a file", f"curl -F data=@{sample} -F nominal_capacity=100 {url}/api/v1/metrics"),
        ("Kafka", broker),
        ("the worker's log", log),
    ]


def panel(seen: Observation, places: list[tuple[str, str]], speed: float) -> Group:
    """Return the live view."""
    where = Table.grid(padding=(0, 2))
    for name, place in places:
        where.add_row(Text(name, style="dim"), Text(place))
    table = Table("asset", "rows", "event time", *SHOWN.values(), box=None, header_style="bold")
    for column in (1, *range(3, 3 + len(SHOWN))):
        table.columns[column].justify = "right"
    for asset in seen.assets:
        metrics = {} if asset.lifetime is None else asset.lifetime.metrics
        cells = [value_text(metrics[name]) if name in metrics else "" for name in SHOWN]
        table.add_row(asset.asset_id, f"{asset.rows:,}", (asset.last_time or "")[:19], *cells)
    status = Text(seen.line, style="green" if seen.phase == "ready" else "yellow")
    note = Text(f"Simulated packs; event time runs {speed:g} times as fast as the clock. Ctrl-C ends.", style="dim")
    return Group(where, Text(), status, Text(), table, Text(), note)
