"""The civil calendar (Gregorian, without end in both directions) as arithmetic on days since 1970-01-01.

Years are counted from March, in eras of 400 years, so that the leap day is the last one of each. The same formulas
serve compiled code, one date at a time (``compiled_…``), and plain code, on arrays of int64 or single numbers.

References
----------
H. Hinnant, "chrono-compatible low-level date algorithms".
"""

from __future__ import annotations

from typing import Any

from stream_app.columns.compiled import compiled

_DAYS_BEFORE_1970 = 719_468  # since 0000-03-01
_DAYS_OF_ERA = 146_097


def days_from_civil(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970-01-01 of a date that exists.

    >>> days_from_civil(1970, 1, 1), days_from_civil(2000, 2, 29), days_from_civil(1969, 12, 31)
    (0, 11016, -1)
    """
    shifted = year - (month <= 2)
    of_era = shifted % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return shifted // 400 * _DAYS_OF_ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _DAYS_BEFORE_1970


def civil_from_days(days: Any) -> tuple[Any, Any, Any]:
    """Year, month and day, given the days since 1970-01-01.

    >>> civil_from_days(11016)
    (2000, 2, 29)
    """
    shifted = days + _DAYS_BEFORE_1970
    era = shifted // _DAYS_OF_ERA
    of_era = shifted - era * _DAYS_OF_ERA
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march_month = (5 * of_year + 2) // 153
    month = (march_month + 2) % 12 + 1
    return year + era * 400 + (month <= 2), month, of_year - (153 * march_month + 2) // 5 + 1


def days_in_month(year: Any, month: Any) -> Any:
    """Days of a month, 1 to 12.

    >>> [days_in_month(2023, month) for month in (1, 2, 4, 7, 8)], days_in_month(2024, 2), days_in_month(1900, 2)
    ([31, 28, 30, 31, 31], 29, 28)
    """
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return 30 + ((month + (month >> 3)) & 1) - (month == 2) * (2 - leap)


compiled_days_from_civil = compiled(days_from_civil)
compiled_civil_from_days = compiled(civil_from_days)
compiled_days_in_month = compiled(days_in_month)
