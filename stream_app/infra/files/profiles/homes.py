"""Batteries of homes: inverters, portals and home automation."""

from __future__ import annotations

from typing import Final

from stream_app.infra.files.profiles.profile import Profile, marks

#: Titles of power into the battery, and those of power out of it.
_INTO: Final = ("chargingpower", "chargepower", "batterychargepower", "batterychargingpower", "powercharge")
_OUT: Final = (
    "dischargingpower",
    "dischargepower",
    "batterydischargepower",
    "batterydischargingpower",
    "powerdischarge",
)
_AMPS_INTO: Final = ("chargecurrent", "chargingcurrent", "batterychargecurrent", "batterychargingcurrent")
_AMPS_OUT: Final = ("dischargecurrent", "dischargingcurrent", "batterydischargecurrent", "batterydischargingcurrent")

HOMES: Final = (
    Profile("homeassistant", marks("entityid state lastchanged", "statisticid start mean")),
    Profile("influxdb", marks("result table time value field")),
    Profile(
        "emhass",
        marks("pload pbatt socopt"),
        columns={"power": ["pbatt:W"], "soc": ["socopt:fraction"]},
        discharge_positive=True,
    ),
    Profile(
        "victron",
        marks("timestamp batterymonitorvoltage batterymonitorcurrent"),
        columns={
            "voltage": ["batterymonitorvoltage:V"],
            "current": ["batterymonitorcurrent:A"],
            "soc": ["batterymonitorstateofcharge:%"],
            "temperature": ["batterymonitorbatterytemperature:C"],
        },
    ),
    Profile(
        "senec",
        marks("uhrzeit akkubeladung akkuentnahme"),
        columns={"power": ["akkubeladung:kW"], "voltage": ["akkuspannung:V"], "current": []},
        outflows={"power": "akkuentnahme"},
    ),
    Profile(
        "sungrow",
        marks("time batterychargingpower batterydischargingpower"),
        columns={"power": ["batterychargingpower:W"], "soc": ["batterylevelsoc:%", "batterylevel:%"]},
        outflows={"power": "batterydischargingpower"},
    ),
    Profile(  # of many makers
        "split",
        marks(*(f"{into} {out}" for into, out in zip((*_INTO, *_AMPS_INTO), (*_OUT, *_AMPS_OUT), strict=True))),
        columns={"power": [f"{into}:W" for into in _INTO], "current": [f"{into}:A" for into in _AMPS_INTO]},
        outflows={"power": " ".join(_OUT), "current": " ".join(_AMPS_OUT)},
        remark="charging and discharging have columns of their own",
    ),
    Profile(
        "powerwall",
        marks("datetime solar powerwall grid home", "timestamp solarpower batterypower gridservicespower"),
        columns={"power": ["powerwall:kW", "batterypower:W"]},
        discharge_positive=True,
    ),
    Profile(
        "givenergy",
        marks("batterypower vbattery ibattery"),
        columns={
            "power": ["batterypower:W"],
            "soc": ["batterysoc:%", "soc:%"],
            "voltage": ["vbattery:V"],
            "current": [],
        },
        discharge_positive=True,
    ),
    Profile("sunspec", marks("soc soh v a w", "model point value")),
)
