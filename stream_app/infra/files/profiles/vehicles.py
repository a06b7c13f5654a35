"""Vehicles: what their owners' programs write."""

from __future__ import annotations

from typing import Final

from stream_app.infra.files.profiles.profile import Profile, marks

#: Voltage and current of these are those of the charger's mains, so its power alone is read.
_AT_THE_CHARGER: Final = {"power": ["chargerpower:kW"], "soc": ["batterylevel:%"], "current": (), "voltage": ()}
_REMARK: Final = "its power is that of the charger, so what is driven is not in the file"
_MEASURED: Final = "time batteryvoltage batterycurrent"

VEHICLES: Final = (
    Profile(
        "teslafi",
        marks("date batterylevel chargervoltage chargeractualcurrent chargingstate"),
        _AT_THE_CHARGER,
        remark=_REMARK,
    ),
    Profile(
        "teslamate",
        marks("date batterylevel chargervoltage chargeractualcurrent"),
        _AT_THE_CHARGER,
        remark=_REMARK,
    ),
    Profile(
        "scanmytesla",
        marks(*(f"{_MEASURED} {mark}" for mark in ("celltempmid", "socui", "nominalfullpack", "usablefullpack"))),
        columns={"timestamp": ["time:ms"], "power": ["batterypower:kW"], "soc": ["socui:%", "soc:%"]},
        discharge_positive=True,
    ),
)
