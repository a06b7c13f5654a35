"""The input columns: all that is known of a reading, a line each. A new column is a new line here and nothing else.

Everything derives from this table: the model of a row and its JSON Schema, the decoders of every form of message, the
limits, the titles in files, and the columns of the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_RELEASE: Final = "0.1.0"


@dataclass(frozen=True, slots=True)
class Column:
    """A reading that a row may have.

    Parameters
    ----------
    wire_name
        Name in messages and files: an identifier, lower case.
    name
        Name in the program and in stored states: the reading with its unit.
    unit
        Unit of the reading in messages and in the program.
    low, high
        Lowest and highest plausible reading. What lies outside is rejected as ``out_of_range``.
    description
        What is measured, with the unit in brackets; published in the JSON Schema.
    required
        Whether every row must name the column; null, "not measured", is allowed either way.
    example
        A reading for the JSON Schema.
    titles
        More titles that the column has in files, separated by blanks: lower case, letters and digits only. One with a
        capital matches only a title that is written exactly so.
    signed
        Whether its sign says which way the battery is used: it is above 0 when that charges, or as the asset's
        ``current_sign`` says.
    since
        Release that accepts the column first.
    """

    wire_name: str
    name: str
    unit: str
    low: float
    high: float
    description: str
    required: bool = False
    example: float | None = None
    titles: str = ""
    signed: bool = False
    since: str = FIRST_RELEASE


#: In the order in which messages are written and the domain keeps columns; required ones first.
COLUMNS: Final = (
    Column(
        "current", "current_a", "A", -1e6, 1e6, "Pack current [A], > 0 charges",
        required=True, example=-40.0, signed=True,
        titles="i a amps amp ampere idcbatt strom ibat ibatt idc",
    ),
    Column(
        "voltage", "voltage_v", "V", -1e5, 1e5, "Pack voltage [V]",
        required=True, example=890.5,
        titles="v u volts volt udcbatt ecell ewe potential spannung vbat vbatt ubat ubatt vdc udc",
    ),
    Column(
        "soc", "soc_percent", "%", -10.0, 120.0, "State of charge [%]",
        required=True, example=51.0,
        titles="stateofcharge level chargelevel batterylevel socreal ladezustand ladestand",
    ),
    Column(
        "power", "power_w", "W", -1e10, 1e10, "Measured power [W], > 0 charges; else current x voltage",
        signed=True,
        titles="p w watts watt pbat pbatt pac pdc m5batp leistung",
    ),
    Column(
        "temperature", "temperature_c", "degC", -100.0, 300.0, "Temperature [degC]",
        titles="T temp temperatur celltemperature auxtemperature1",
    ),
    Column(
        "cell_v_min", "cell_v_min", "V", -100.0, 100.0, "Lowest cell voltage [V]",
        titles="cellvoltagemin mincellvoltage minimumcellvoltage brickvoltagemin",
    ),
    Column(
        "cell_v_max", "cell_v_max", "V", -100.0, 100.0, "Highest cell voltage [V]",
        titles="cellvoltagemax maxcellvoltage maximumcellvoltage brickvoltagemax",
    ),
    Column(
        "t_min", "t_min_c", "degC", -100.0, 300.0, "Lowest cell temperature [degC]",
        titles="mintemperature temperaturemin mintemp moduletempmin",
    ),
    Column(
        "t_max", "t_max_c", "degC", -100.0, 300.0, "Highest cell temperature [degC]",
        titles="maxtemperature temperaturemax maxtemp moduletempmax",
    ),
    Column(
        "power_setpoint", "power_setpoint_w", "W", -1e10, 1e10, "Power that was asked for [W], > 0 charges",
        signed=True, since="0.2.0",
        titles="psetpoint pset setpointpower powertarget targetpower powercommand commandedpower powerreference "
        "referencepower sollleistung leistungsvorgabe",
    ),
)  # fmt: skip

BY_WIRE_NAME: Final = {column.wire_name: column for column in COLUMNS}
#: Columns that every row must name, by wire name.
REQUIRED: Final = tuple(column.wire_name for column in COLUMNS if column.required)
