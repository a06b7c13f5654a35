"""How values look."""

import pytest

from schemas.metrics import MetricValue
from stream_app.terminal import value_text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (21_600, "21600"),
        (0.98760674, "0.987607"),
        ([1.0, 2.5], "1 2.5"),
        ([0.0] * 8, "0 0 0 0 0 0 … (8)"),
    ],
)
def test_value_text(value: float | list[float] | None, shown: str) -> None:
    """Six digits of a number, the beginning of a list, a dash where there is none."""
    assert value_text(MetricValue(value=value, unit="1", reason=None if value is not None else "no_charge")) == shown
