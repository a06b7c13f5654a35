"""Units as titles spell them: what to multiply a reading by, and then to add. Case matters: mW is not MW."""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.columns import BY_WIRE_NAME


class Conversion(NamedTuple):
    """From the unit of a file to ours: ``value * scale + offset``."""

    scale: float
    offset: float


UNCHANGED: Final = Conversion(1.0, 0.0)
_MILLI, _KILO, _MEGA, _MICRO = (Conversion(scale, 0.0) for scale in (1e-3, 1e3, 1e6, 1e-6))
_KELVIN, _FAHRENHEIT = Conversion(1.0, -273.15), Conversion(5 / 9, -160 / 9)

#: Symbols by our unit, written exactly so.
_SYMBOLS: Final[dict[str, dict[str, Conversion]]] = {
    "A": {"A": UNCHANGED, "mA": _MILLI, "kA": _KILO, "uA": _MICRO, "µA": _MICRO, "μA": _MICRO},
    "V": {"V": UNCHANGED, "mV": _MILLI, "kV": _KILO, "uV": _MICRO, "µV": _MICRO, "μV": _MICRO},
    "W": {"W": UNCHANGED, "mW": _MILLI, "kW": _KILO, "MW": _MEGA, "VA": UNCHANGED, "kVA": _KILO},
    "%": {"%": UNCHANGED, "0-1": Conversion(100.0, 0.0), "0..1": Conversion(100.0, 0.0), "‰": Conversion(0.1, 0.0)},
    "degC": {
        **dict.fromkeys(("C", "°C", "º C", "ºC", "° C", "℃", "degC", "deg C"), UNCHANGED),
        "K": _KELVIN,
        **dict.fromkeys(("F", "°F", "℉", "degF", "deg F"), _FAHRENHEIT),
    },
}
#: The same in words, and in the letters of titles that are all small or all large; nothing here can be mistaken.
_WORDS: Final[dict[str, dict[str, Conversion]]] = {
    "A": {
        **dict.fromkeys(("a", "amp", "amps", "ampere", "amperes", "adc"), UNCHANGED),
        **dict.fromkeys(("ma", "milliamp", "milliamps", "milliampere", "milliamperes"), _MILLI),
        **dict.fromkeys(("ka", "kiloampere"), _KILO),
    },
    "V": {
        **dict.fromkeys(("v", "volt", "volts", "vdc"), UNCHANGED),
        **dict.fromkeys(("mv", "millivolt", "millivolts"), _MILLI),
        **dict.fromkeys(("kv", "kilovolt", "kilovolts"), _KILO),
    },
    "W": {
        **dict.fromkeys(("w", "watt", "watts"), UNCHANGED),
        **dict.fromkeys(("kw", "kilowatt", "kilowatts"), _KILO),
        **dict.fromkeys(("milliwatt", "milliwatts"), _MILLI),
        **dict.fromkeys(("megawatt", "megawatts"), _MEGA),
    },
    "%": {
        **dict.fromkeys(("percent", "percentage", "pct", "perc", "prozent"), UNCHANGED),
        **dict.fromkeys(("fraction", "ratio"), Conversion(100.0, 0.0)),
        "permille": Conversion(0.1, 0.0),
    },
    "degC": {
        **dict.fromkeys(("c", "°c", "celsius", "degc", "deg", "degree celsius"), UNCHANGED),
        **dict.fromkeys(("k", "kelvin"), _KELVIN),
        **dict.fromkeys(("f", "°f", "degf", "fahrenheit"), _FAHRENHEIT),
    },
}
_S, _MS, _US, _NS, _MIN, _H, _D = (Conversion(scale, 0.0) for scale in (1.0, 1e-3, 1e-6, 1e-9, 60.0, 3600.0, 86400.0))
#: Units of times [s]. Those of epoch times follow from their magnitude.
TIME_UNITS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sekunden"), _S),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), _MS),
    **dict.fromkeys(("us", "µs", "μs", "micros", "microsecond", "microseconds"), _US),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), _NS),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), _MIN),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "std"), _H),
    **dict.fromkeys(("d", "day", "days"), _D),
}


def conversion(name: str, unit: str) -> Conversion | None:
    """How a unit of one of our columns is converted; None when it is not known, or may be two."""
    ours = BY_WIRE_NAME[name].unit
    unit = unit.strip()
    known = _SYMBOLS.get(ours, {ours: UNCHANGED})
    return known.get(unit) or _WORDS.get(ours, {}).get(unit.casefold())


def known_units(name: str) -> list[str]:
    """Units that one of our columns may have in a file."""
    ours = BY_WIRE_NAME[name].unit
    return [*_SYMBOLS.get(ours, {ours: UNCHANGED}), *(unit for unit in _WORDS.get(ours, {}) if len(unit) > 2)]
