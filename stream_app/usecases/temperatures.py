"""An asset by its temperature: the windows that were as warm as each other, as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream_app.domain.views import Readings

#: Width of a bin [K]; one begins at 0 degC.
STEP_K: Final = 5.0


@dataclass(frozen=True, slots=True)
class TemperatureBin:
    """Windows whose mean temperature is from ``from_c`` to 5 K above [degC]: how many, and their readings as one."""

    from_c: float
    windows: int
    readings: Readings
