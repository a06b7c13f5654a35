"""A few rows as each device and program writes them: six minutes, charging and then discharging."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import pytest

from schemas.file import FileSpec
from stream_app.infra.files import MeasurementFile
from stream_app.infra.files.profiles import PROFILES
from stream_app.usecases.errors import InvalidError

START_US = 1_715_072_400_000_000  # 2024-05-07T09:00:00Z
MINUTES = range(6)


class Shape(NamedTuple):
    """A header and the pattern of its rows, with what they hold and how they are read."""

    header: str
    row: str
    values: dict[str, list[float]]
    options: dict[str, Any] = {}  # noqa: RUF012  # of the tuple's class, and never changed
    profile: str | None = None


def both(value: float) -> list[float]:
    """Charging, then discharging."""
    return [value] * 3 + [-value] * 3


AMPS, VOLTS, WATTS = {"current": both(1.5)}, {"voltage": [3.6] * 6}, {"power": both(1500.0)}
SOC = {"soc": [50.0 + i for i in MINUTES]}
SHAPES = {
    "bdf": Shape(
        "Test Time / s,Voltage / V,Current / A,Unix Time / s,Cycle Count / 1",
        "{s},3.6,{a},{epoch},1",
        AMPS | VOLTS,
    ),
    "bdf by machine names": Shape(
        "test_time_second,voltage_volt,current_ampere,unix_time_second", "{s},3.6,{a},{epoch}", AMPS | VOLTS, {}, "bdf"
    ),
    "bdf without a clock": Shape(
        "test_time_second,voltage_volt,current_ampere",
        "{s},3.6,{a}",
        AMPS | VOLTS,
        {"start": "2024-05-07 09:00"},
        "bdf",
    ),
    "arbin": Shape(
        "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Step_Index,Cycle_Index,Current(A),Voltage(V),Charge_Capacity(Ah)",
        "{i},{s},2024-05-07 09:0{i}:00,0,1,1,{a},3.6,0",
        AMPS | VOLTS,
    ),
    "neware": Shape(
        "DataPoint,Cycle Index,Step Index,Step Type,Time,Total Time,Current(A),Voltage(V),Capacity(Ah),Date,Power(W)",
        "{i},1,1,CC Chg,00:00:0{i},00:0{i}:00,{a},3.6,0,2024-05-07 09:0{i}:00,{w}",
        AMPS | VOLTS | WATTS,
    ),
    "neware without a sign": Shape(
        "Record ID,Step ID,Status,Time(h:min:s.ms),Voltage(V),Current(mA),Realtime",
        "{i},1,CC_{Chg},00:00:0{i}.000,3.6,1500,2024-05-07 09:0{i}:00",
        AMPS | VOLTS,
        {},
        "neware",
    ),
    "basytec": Shape(
        "~Resultfile from Basytec Battery Test System\n~\n"
        "~Time[h]\tDataSet\tt-Step[h]\tLine\tCommand\tU[V]\tI[A]\tT1[°C]",
        "{h}\t{i}\t0\t1\tCharge\t3.6\t{a}\t25",
        AMPS | VOLTS | {"temperature": [25.0] * 6},
        {"start": "2024-05-07 09:00"},
    ),
    "maccor": Shape(
        "Rec#\tCyc#\tStep\tTestTime\tStepTime\tAmp-hr\tWatt-hr\tAmps\tVolts\tState\tES\tDPt Time",
        "{i}\t0\t1\t0d 00:0{i}:00.00\t0d 00:00:00\t0\t0\t1.5\t3.6\t{C}\t1\t05/07/2024 09:0{i}:00 AM",
        AMPS | VOLTS,
        {"day_first": False},
    ),
    "biologic": Shape(
        "EC-Lab ASCII FILE\nNb header lines : 3\nmode\tox/red\terror\tNs\ttime/s\tcontrol/V/mA\tEwe/V\t<I>/mA",
        "1\t1\t0\t0\t{s}\t0\t3.6\t{ma}",
        AMPS | VOLTS,
        {"start": "2024-05-07 09:00"},
    ),
    "novonix": Shape(
        "[Summary]\nCell: x\n[Data]\n"
        "Date and Time,Cycle Number,Step Type,Run Time (h),Step Time (h),Current (A),Potential (V)",
        "2024-05-07 09:0{i}:00 AM,0,1,{h},0,{a},3.6",
        AMPS | VOLTS,
    ),
    "pec": Shape(
        "Test,Cycle,Step,Total Time (Seconds),Step Time (Seconds),Real Time,Voltage (mV),Current (mA),"
        "Charge Capacity (mAh),Rack,Position Start Time",
        "7,1,1,{s},0,2024-05-07 09:0{i}:00,3600,{ma},0,2,2024-05-07 08:00:00",
        AMPS | VOLTS,
    ),
    "landt": Shape(
        "Index\tTestTime/Sec.\tStepTime/Sec.\tVoltage/V\tCurrent/mA\tCapacity/mAh\tSysTime",
        "{i}\t{s}\t0\t3.6\t{ma}\t0\t2024-05-07 09:0{i}:00",
        AMPS | VOLTS,
    ),
    "homeassistant": Shape(
        "entity_id,state,last_changed",
        "sensor.battery_power,{w},2024-05-07T09:0{i}:00.000Z\nsensor.battery_soc,{soc},2024-05-07T09:0{i}:00.000Z",
        WATTS | SOC,
    ),
    "statistics of homeassistant": Shape(
        "statistic_id,unit,start,end,mean,min,max",
        "sensor.battery_power,W,2024-05-07T09:0{i}:00Z,x,{w},0,0\nsensor.battery_soc,%,2024-05-07T09:0{i}:00Z,x,{soc},0,0",
        WATTS | SOC,
        {},
        "homeassistant",
    ),
    "influxdb": Shape(
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement",
        ",,0,2024-05-07T00:00:00Z,2024-05-08T00:00:00Z,2024-05-07T09:0{i}:00Z,{w},power,battery\n"
        ",,1,2024-05-07T00:00:00Z,2024-05-08T00:00:00Z,2024-05-07T09:0{i}:00Z,{soc},soc,battery",
        WATTS | SOC,
    ),
    "emhass": Shape(
        "timestamp,P_PV,P_Load,P_grid,P_batt,SOC_opt", "2024-05-07 09:0{i}:00+00:00,0,500,0,{out},0.{soc}", WATTS | SOC
    ),
    "victron": Shape(
        "timestamp,Gateway [0],Battery Monitor [258],Battery Monitor [258],Battery Monitor [258]\n"
        "Europe/Amsterdam (+02:00),Relay 1 state,Voltage,Current,State of charge\n,,V,A,%",
        "2024-05-07 11:0{i}:00,Open,3.6,{a},{soc}",
        AMPS | VOLTS | SOC,
    ),
    "senec": Shape(
        "Uhrzeit;Netzbezug [kW];Akkubeladung [kW];Akkuentnahme [kW];Akku Spannung [V];Akku Stromstärke [A]",
        "07.05.2024 09:0{i}:00;0,1;{in_kw};{out_kw};3,6;9,9",
        WATTS | VOLTS,
    ),
    "sungrow": Shape(
        "Time,Battery Charging Power(W),Battery Discharging Power(W),Battery Level (SOC)(%)",
        "2024-05-07 09:0{i}:00,{in_w},{out_w},{soc}",
        WATTS | SOC,
    ),
    "split": Shape(
        "Time,SOC,Charge power [W],Discharge power [W]", "2024-05-07 09:0{i},{soc},{in_w},{out_w}", WATTS | SOC
    ),
    "powerwall": Shape(
        "Date time,Solar (kW),Powerwall (kW),Grid (kW),Home (kW)",
        "2024-05-07T09:0{i}:00+00:00,2,{out_of_kw},0,1",
        WATTS,
    ),
    "givenergy": Shape(
        "time,battery_power,soc,v_battery,i_battery", "2024-05-07T09:0{i}:00Z,{out},{soc},3.6,7", WATTS | SOC | VOLTS
    ),
    "sunspec": Shape(
        "timestamp,SoC,SoH,V,A,W", "2024-05-07T09:0{i}:00Z,{soc},99,3.6,{a},{w}", AMPS | VOLTS | WATTS | SOC
    ),
    "points of sunspec": Shape(
        "Timestamp,Model,Point,Value",
        "2024-05-07T09:0{i}:00Z,802,SoC,{soc}\n2024-05-07T09:0{i}:00Z,802,W,{w}",
        WATTS | SOC,
        {},
        "sunspec",
    ),
    "teslafi": Shape(
        "Date,battery_level,charger_voltage,charger_actual_current,charger_power,charging_state",
        "2024-05-07 09:0{i}:00,{soc},230,16,1.5,Charging",
        SOC | {"power": [1500.0] * 6},
    ),
    "teslamate": Shape(
        "date,battery_level,charger_voltage,charger_actual_current,charger_power",
        "2024-05-07 09:0{i}:00.000,{soc},230,16,1.5",
        SOC | {"power": [1500.0] * 6},
    ),
    "scanmytesla": Shape(
        "Time;Battery voltage;Battery current;Battery power;SOC UI",
        "{s}000;3.6;{out_a};{out_of_kw};{soc}",
        AMPS | VOLTS | WATTS | SOC,
        {"start": "2024-05-07 09:00"},
    ),
}


def rows(shape: Shape) -> bytes:
    """A file of that shape."""
    lines = [shape.header]
    for i in MINUTES:
        sign = 1 if i < 3 else -1
        lines.append(
            shape.row.format(
                i=i,
                s=60 * i,
                h=i / 60,
                epoch=START_US // 1_000_000 + 60 * i,
                a=1.5 * sign,
                ma=1500 * sign,
                w=1500 * sign,
                out=-1500 * sign,
                out_a=-1.5 * sign,
                out_of_kw=-1.5 * sign,
                in_w=1500 if sign > 0 else 0,
                out_w=0 if sign > 0 else 1500,
                in_kw="1,5" if sign > 0 else "0",
                out_kw="0" if sign > 0 else "1,5",
                soc=50 + i,
                C="C" if sign > 0 else "D",
                Chg="Chg" if sign > 0 else "DChg",
            )
        )
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("name", SHAPES)
def test_profiles(name: str) -> None:
    """Each is recognised and named, and its rows have the right times and readings."""
    shape = SHAPES[name]
    file = MeasurementFile(io.BytesIO(rows(shape)), FileSpec(**shape.options))
    told = "\n".join(file.check().told())
    blocks = list(file.blocks())
    times = np.concatenate([block.time_us for block in blocks])
    np.testing.assert_allclose(times - START_US, [60_000_000 * i for i in MINUTES], atol=1)
    columns = {each: np.concatenate([block.columns[each] for block in blocks]) for each in blocks[0].columns}
    measured = {each for each, values in columns.items() if not np.isnan(values).all()}
    assert measured == shape.values.keys()
    for each, values in shape.values.items():
        np.testing.assert_allclose(columns[each], values, rtol=1e-9)
    assert f"the titles are those of {shape.profile or name}" in told
    assert "say --current-sign" not in told


def test_each_profile_has_a_shape() -> None:
    """None is without a test."""
    assert {shape.profile or name for name, shape in SHAPES.items()} == PROFILES.keys()


def test_profile_is_given() -> None:
    """Where the titles do not tell; and with none of them, titles are taken as they are."""
    text = rows(SHAPES["powerwall"]).replace(b"Home (kW)", b"House (kW)")
    with pytest.raises(InvalidError, match="has no column"):
        MeasurementFile(io.BytesIO(text)).check()
    (block,) = MeasurementFile(io.BytesIO(text), FileSpec(profile="powerwall")).blocks()
    assert block.columns["power"].tolist() == both(1500.0)
    (block,) = MeasurementFile(io.BytesIO(rows(SHAPES["givenergy"])), FileSpec(profile="none")).blocks()
    assert block.columns["power"].tolist() == both(-1500.0)
    with pytest.raises(InvalidError, match=r"there is no profile 'x': name one of bdf, arbin"):
        MeasurementFile(io.BytesIO(text), FileSpec(profile="x")).check()


def test_given_sign_stands_above_the_profiles() -> None:
    """An option takes the readings as the file has them."""
    spec = FileSpec(current_sign="charge_positive")
    (block,) = MeasurementFile(io.BytesIO(rows(SHAPES["givenergy"])), spec).blocks()
    assert block.columns["power"].tolist() == both(-1500.0)


def test_readings_that_speak_against_the_profile() -> None:
    """The cure takes the readings as the file has them."""
    lines = [f"2024-05-07T09:{i:02}:00Z,1500,{50 + i},3.6,7" for i in range(30)]
    text = "time,battery_power,soc,v_battery,i_battery\n" + "\n".join(lines)
    told = MeasurementFile(io.BytesIO(text.encode())).check().told()
    assert any("say --current-sign charge_positive" in line for line in told)
    spec = FileSpec(current_sign="charge_positive")
    assert "warning" not in "\n".join(MeasurementFile(io.BytesIO(text.encode()), spec).check().told())
