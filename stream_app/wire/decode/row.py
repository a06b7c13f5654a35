"""What a measurements message looks like to the typed decoder. The contract itself is ``schemas.measurement``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from schemas import measurement as limits
from stream_app.wire.decode.timestamps import Stamp

#: Columns that every row must name (their value may be null) and those it may leave out; wire name -> our name.
REQUIRED: Final = {"current": "current_a", "voltage": "voltage_v", "soc": "soc_percent"}
OPTIONAL: Final = {
    "power": "power_w",
    "temperature": "temperature_c",
    "cell_v_min": "cell_v_min",
    "cell_v_max": "cell_v_max",
    "t_min": "t_min_c",
    "t_max": "t_max_c",
}
COLUMN_NAMES: Final = REQUIRED | OPTIONAL

_TEMPERATURE = (limits.TEMPERATURE_C_MIN, limits.TEMPERATURE_C_MAX, "degC")
_CELL = (-limits.CELL_VOLTAGE_V_LIMIT, limits.CELL_VOLTAGE_V_LIMIT, "V")

#: Lowest and highest plausible reading, and its unit.
LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "current": (-limits.CURRENT_A_LIMIT, limits.CURRENT_A_LIMIT, "A"),
    "voltage": (-limits.VOLTAGE_V_LIMIT, limits.VOLTAGE_V_LIMIT, "V"),
    "soc": (limits.SOC_PERCENT_MIN, limits.SOC_PERCENT_MAX, "%"),
    "power": (-limits.POWER_W_LIMIT, limits.POWER_W_LIMIT, "W"),
    "temperature": _TEMPERATURE,
    "cell_v_min": _CELL,
    "cell_v_max": _CELL,
    "t_min": _TEMPERATURE,
    "t_max": _TEMPERATURE,
}


class Row(Struct, gc=False, omit_defaults=True):
    """A single row. ``control`` must be absent or null: it makes an object a control record."""

    asset_id: str
    timestamp: Stamp
    current: float | None
    voltage: float | None
    soc: float | None
    power: float | None = None
    temperature: float | None = None
    cell_v_min: float | None = None
    cell_v_max: float | None = None
    t_min: float | None = None
    t_max: float | None = None
    control: None = None


class ColumnBatch(Struct, gc=False):
    """Rows of one asset as columns, all of the same length."""

    asset_id: str
    timestamp: list[Stamp]
    current: list[float | None]
    voltage: list[float | None]
    soc: list[float | None]
    power: list[float | None] | None = None
    temperature: list[float | None] | None = None
    cell_v_min: list[float | None] | None = None
    cell_v_max: list[float | None] | None = None
    t_min: list[float | None] | None = None
    t_max: list[float | None] | None = None
    control: None = None

    def columns(self) -> dict[str, list[float | None]]:
        """Columns that are there, by wire name."""
        return {name: values for name in COLUMN_NAMES if (values := getattr(self, name)) is not None}


def columns_of(rows: Sequence[Row]) -> dict[str, list[float | None]]:
    """Columns of rows, by wire name; optional columns that no row has are left out."""
    # Written out: a comprehension with a fixed attribute takes half the time of attrgetter.
    columns: dict[str, list[float | None]] = {
        "power": [row.power for row in rows],
        "temperature": [row.temperature for row in rows],
        "cell_v_min": [row.cell_v_min for row in rows],
        "cell_v_max": [row.cell_v_max for row in rows],
        "t_min": [row.t_min for row in rows],
        "t_max": [row.t_max for row in rows],
    }
    return {
        "current": [row.current for row in rows],
        "voltage": [row.voltage for row in rows],
        "soc": [row.soc for row in rows],
        **{name: values for name, values in columns.items() if values.count(None) < len(values)},
    }
