"""One row of battery telemetry, as producers publish it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.asset import AssetId

#: Limits of a plausible reading. They are written here only; what lies outside is rejected as ``out_of_range``.
CURRENT_A_LIMIT = 1e6
VOLTAGE_V_LIMIT = 1e5
POWER_W_LIMIT = 1e10
SOC_PERCENT_MIN, SOC_PERCENT_MAX = -10.0, 120.0
TEMPERATURE_C_MIN, TEMPERATURE_C_MAX = -100.0, 300.0
CELL_VOLTAGE_V_LIMIT = 100.0

CurrentA = Annotated[float, Field(ge=-CURRENT_A_LIMIT, le=CURRENT_A_LIMIT, allow_inf_nan=False)]
VoltageV = Annotated[float, Field(ge=-VOLTAGE_V_LIMIT, le=VOLTAGE_V_LIMIT, allow_inf_nan=False)]
PowerW = Annotated[float, Field(ge=-POWER_W_LIMIT, le=POWER_W_LIMIT, allow_inf_nan=False)]
SocPercent = Annotated[float, Field(ge=SOC_PERCENT_MIN, le=SOC_PERCENT_MAX, allow_inf_nan=False)]
TemperatureC = Annotated[float, Field(ge=TEMPERATURE_C_MIN, le=TEMPERATURE_C_MAX, allow_inf_nan=False)]
CellVoltageV = Annotated[float, Field(ge=-CELL_VOLTAGE_V_LIMIT, le=CELL_VOLTAGE_V_LIMIT, allow_inf_nan=False)]


class Measurement(BaseModel):
    """One row: what an asset's sensors read at one moment.

    ``null`` means "not measured": the row still counts, and metrics that need the reading leave it out. Columns that
    are not named here are allowed and ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    asset_id: AssetId
    timestamp: str | int | float = Field(
        description="ISO 8601 (without offset: UTC), month/day/year H:M[:S], or epoch s, ms, us or ns by magnitude",
        examples=["2022-04-13T00:00:02Z", "4/13/2022 0:00", 1649808002],
    )
    current: CurrentA | None = Field(description="Pack current [A], > 0 charges", examples=[-40.0])
    voltage: VoltageV | None = Field(description="Pack voltage [V]", examples=[890.5])
    soc: SocPercent | None = Field(description="State of charge [%]", examples=[51.0])
    power: PowerW | None = Field(default=None, description="Measured power [W], > 0 charges; else current x voltage")
    temperature: TemperatureC | None = Field(default=None, description="Temperature [degC]")
    cell_v_min: CellVoltageV | None = Field(default=None, description="Lowest cell voltage [V]")
    cell_v_max: CellVoltageV | None = Field(default=None, description="Highest cell voltage [V]")
    t_min: TemperatureC | None = Field(default=None, description="Lowest cell temperature [degC]")
    t_max: TemperatureC | None = Field(default=None, description="Highest cell temperature [degC]")
