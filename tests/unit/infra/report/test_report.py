"""The report: one page without scripts, which says each number with its unit, or why it is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.asset import UNLIMITED_AHEAD_S, AssetSpec
from schemas.metrics import MetricsUpdate, MetricValue, Window
from stream_app.cli import app
from stream_app.infra.report.page import Subject, report
from stream_app.infra.report.quantities import duration, quantity, words, written

SAMPLE = Path(__file__).parents[4] / "example" / "sample_day.csv"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Tags(HTMLParser):
    """Elements of a page, and whether each was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.depth = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.depth += tag not in {"meta", "br", "rect", "line", "polyline", "polygon", "circle"}

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in {"meta", "br", "rect", "line", "polyline", "polygon", "circle"}


def subject(name: str = "bess-001", **metrics: MetricValue) -> Subject:
    """An asset whose lifetime has these metrics."""
    window = Window(size="lifetime", start="2026-03-01T00:00:00Z", end=None)
    lifetime = MetricsUpdate(asset_id="bess-001", window=window, seq=7, final=False, metrics=metrics)
    return Subject(name, AssetSpec(nominal_capacity_ah=94), lifetime, [], 3, 0, window.start, window.start)


def test_report_of_a_file_has_everything_in_it(tmp_path: Path) -> None:
    """Plots are inline, nothing is loaded, no script; every metric stands in it."""
    out = tmp_path / "report.html"
    ran = CliRunner().invoke(app, ["report", str(SAMPLE), "--nominal-capacity", "100", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    page = out.read_text("utf-8")
    tags = Tags(page)
    assert tags.depth == 0
    assert "script" not in tags.seen
    assert tags.seen.count("svg") >= 4
    assert re.findall(r"(?:src|href)=|url\(|@import|://", page) == []
    assert "98.76" in page  # the round-trip efficiency of the simulated day, in per cent
    assert "NaN" not in page
    assert len(out.read_bytes()) < 200_000


def test_a_missing_value_has_its_reason() -> None:
    """As a clause, not as a code."""
    page = report(subject(rte_level=MetricValue(value=None, unit="1", reason="too_few_trips")), NOON)
    assert words()["reasons"]["too_few_trips"] in page
    assert "too_few_trips" not in page


def test_names_are_written_as_text() -> None:
    """A file's name cannot become a part of the page."""
    assert "<b>x</b>" not in report(subject("<b>x</b>.csv"), NOON)


def test_an_asset_without_rows_has_a_report() -> None:
    """It says that there are none."""
    empty = Subject("new", AssetSpec(), None, [], 0, 0, None, None)
    assert "no row yet" in report(empty, NOON)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Instead of asking a worker for an asset of that name."""
    ran = CliRunner().invoke(app, ["report", str(tmp_path / "none.csv")])
    assert "there is no file" in str(ran.exception)


@pytest.mark.parametrize(
    ("value", "unit", "sigma", "shown"),
    [
        (-47_519.7, "W", None, "−47.52 kW"),
        (1_404.2, "kWh", None, "1.404 MWh"),
        (0.0481, "kWh", None, "48.10 Wh"),
        (0.0, "kWh", None, "0 kWh"),
        (0.1195, "Ohm", 0.0012, "119.5 ± 1.2 mΩ"),
        (92.0514, "Ah", 0.0797, "92.05 ± 0.08 Ah"),
        (25.0, "degC", None, "25 °C"),
        (21_600.0, "1", None, "21,600"),
        (90_061.0, "s", None, "1 d 1 h"),
    ],
)
def test_quantities(value: float, unit: str, sigma: float | None, shown: str) -> None:
    """The unit suits the size; the digits suit the uncertainty."""
    assert str(quantity(value, unit, sigma)) == shown


def test_ratios_are_percentages() -> None:
    """Where people read them so."""
    assert written("rte_level", MetricValue(value=0.98764, unit="1", sigma=0.00079)) == "98.76 ± 0.08 %"


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0 s"), (0.25, "250 ms"), (59, "59 s"), (3_900, "1 h 5 min")])
def test_durations(seconds: float, shown: str) -> None:
    """Two units at most."""
    assert duration(seconds) == shown


def test_the_spec_is_told_with_its_units() -> None:
    """A price is per its unit; how far a stamp may be ahead says nothing of a file."""
    spec = AssetSpec(
        nominal_capacity_ah=94,
        energy_price_per_kwh=0.28,
        max_gap_s=900,
        windows=("1h", "1d"),
        max_ahead_s=UNLIMITED_AHEAD_S,
    )
    page = report(replace(subject(), spec=spec), NOON)
    for line in (
        "nominal capacity:</span> 94 Ah",
        "energy price:</span> 0.28 per kWh",
        "max gap:</span> 900 s",
        "windows:</span> 1h, 1d",
        "current sign:</span> charge_positive",
    ):
        assert line in page
    assert "max ahead" not in page
