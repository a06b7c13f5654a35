"""Cyclers of laboratories. Where their current has no sign, the state of the step gives it."""

from __future__ import annotations

from typing import Final

from stream_app.infra.files.profiles.profile import Profile, marks

CYCLERS: Final = (
    Profile(
        "bdf",
        marks("testtime voltage current unixtime", "testtimesecond voltagevolt currentampere"),
        columns={"timestamp": ["unixtime", "unixtimesecond", "testtime", "testtimesecond:s"]},
    ),
    Profile(
        "arbin",
        marks("testtime steptime cycleindex stepindex current voltage"),
        columns={"timestamp": ["datetime", "testtime"]},
    ),
    Profile(
        "neware",
        marks("stepindex steptype totaltime date", "recordid stepid realtime", "recordindex relativetime absolutetime"),
        columns={
            "timestamp": ["date", "realtime", "absolutetime"],
            "date": [],
            "current": ["current", "cur"],
            "temperature": ["t1", "temperature"],
        },
        state=["steptype", "status"],
        discharging=("cc dchg", "cccv dchg", "dchg", "cc_dchg", "cccv_dchg", "cp dchg", "cr dchg", "cv dchg", "d."),
    ),
    Profile(
        "basytec",
        marks("time dataset line command u i", "time dataset tstep u i"),
        columns={"timestamp": ["datetime", "time"], "temperature": ["t1"]},
    ),
    Profile(
        "maccor",
        marks("rec testtime steptime state", "rec testtime steptime md"),
        columns={
            "timestamp": ["dpttime", "testtime"],
            "current": ["amps:A", "current:A"],
            "voltage": ["volts:V", "voltage:V"],
            "temperature": ["temp1:C"],
        },
        state=["state", "md"],
        discharging=("d",),
    ),
    Profile(
        "biologic",
        marks("mode ox ewe", "mode time ecell", "mode time ewe", "ns time ecell", "ns time ewe"),
        columns={"timestamp": ["time"], "voltage": ["ecell", "ewe"]},
    ),
    Profile(
        "novonix",
        marks("dateandtime runtime steptime potential"),
        columns={"timestamp": ["dateandtime"]},
    ),
    Profile(
        "pec",
        marks("test cycle step totaltime steptime realtime", "rack positionstarttime totaltime realtime"),
        columns={"timestamp": ["realtime"]},
    ),
    Profile(
        "landt",
        marks("testtime steptime systime", "testtime steptime voltage current spccap"),
        columns={"timestamp": ["systime", "testtime"]},
    ),
)
