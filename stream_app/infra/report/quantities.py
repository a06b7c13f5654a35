"""Numbers as people read them: SI units by size, digits by the uncertainty, "n/a because …"; as the pages do."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from schemas.metrics import MetricValue

_STEPS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "W": ((1e9, "GW"), (1e6, "MW"), (1e3, "kW"), (1, "W")),
    "kWh": ((1e6, "GWh"), (1e3, "MWh"), (1, "kWh"), (1e-3, "Wh")),
    "Ah": ((1e3, "kAh"), (1, "Ah"), (1e-3, "mAh")),
    "A": ((1e3, "kA"), (1, "A"), (1e-3, "mA")),
    "V": ((1e3, "kV"), (1, "V"), (1e-3, "mV")),
    "Ohm": ((1, "Ω"), (1e-3, "mΩ"), (1e-6, "µΩ")),
    "V/%": ((1, "V/%"), (1e-3, "mV/%")),
    "kW/s": ((1e3, "MW/s"), (1, "kW/s"), (1e-3, "W/s")),
    "kWh/a": ((1e3, "MWh/a"), (1, "kWh/a")),
}
_PLAIN: Final = {"degC": "°C", "1": "", "currency": ""}
_TIMES: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MINUS: Final = "−"


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """Labels, and sentences for codes: the pages read the same file."""
    content: dict[str, Any] = json.loads(
        (files("stream_app.infra.http.pages") / "static" / "words.json").read_text("utf-8")
    )
    return content


def label(name: str) -> str:
    """What people call a metric."""
    return str(words()["labels"].get(name, name))


def why_null(reason: str | None) -> str:
    """Why a value is not there, as a clause."""
    if reason is None:
        return "no row has come yet"
    return str(words()["reasons"].get(reason, reason.replace("_", " ")))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is shown; ``sigma`` is "" where there is none."""

    value: str
    unit: str
    sigma: str = ""

    def __str__(self) -> str:
        spread = f" ± {self.sigma}" if self.sigma else ""
        return f"{self.value}{spread}{' ' + self.unit if self.unit else ''}"


def quantity(value: float, unit: str, sigma: float | None = None, name: str = "") -> Quantity:
    """Return a number in the unit that suits its size."""
    if name in words()["percentages"]:
        value, sigma, unit = value * 100, None if sigma is None else sigma * 100, "%"
    if unit == "s" and sigma is None:
        return Quantity(duration(value), "")
    steps = _STEPS.get(unit, ((1, _PLAIN.get(unit, unit)),))
    size = max(abs(value), sigma or 0.0)
    scale, shown = next((step for step in steps if size >= step[0] * 0.9995), steps[-1]) if size else (1.0, "")
    if not size:
        shown = next(name for factor, name in steps if factor == 1)
    spread = (sigma or 0.0) / scale
    digits = _digits(value / scale, spread, unit)
    return Quantity(fixed(value / scale, digits), shown, fixed(spread, digits) if spread else "")


def written(name: str, metric: MetricValue | None) -> str:
    """Return a metric with its unit and uncertainty; n/a and the reason where it is not there."""
    if metric is None or metric.value is None:
        return f"n/a because {why_null(None if metric is None else metric.reason)}"
    if isinstance(metric.value, list):
        return f"{len(metric.value)} bins"
    return str(quantity(float(metric.value), metric.unit, metric.sigma, name))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if seconds == 0:
        return "0 s"
    size, sign = abs(seconds), _MINUS if seconds < 0 else ""
    if size < 1:
        return f"{sign}{size * 1000:.0f} ms"
    i = next(i for i, (length, _) in enumerate(_TIMES) if size >= length)
    length, unit = _TIMES[i]
    whole = int(size // length)
    rest = int((size - whole * length) // _TIMES[i + 1][0]) if i < 3 and whole < 10 else 0
    return f"{sign}{whole:,} {unit}" + (f" {rest} {_TIMES[i + 1][1]}" if rest else "")


def fixed(value: float, digits: int) -> str:
    """Return a number with so many digits after the point."""
    text = f"{value:,.{digits}f}"
    is_zero = float(text.replace(",", "")) == 0
    return text.lstrip("-") if is_zero else text.replace("-", _MINUS)


def _digits(value: float, sigma: float, unit: str) -> int:
    """Digits after the point: one of the uncertainty, two where it begins with 1; or four in all."""
    if sigma > 0:
        power = math.floor(math.log10(sigma))
        return min(6, max(0, (1 if sigma / 10**power < 1.95 else 0) - power))
    if unit == "%":
        return 1
    if value == int(value) and abs(value) < 1e15:
        return 0
    return min(6, max(0, 3 - math.floor(math.log10(abs(value)))))
