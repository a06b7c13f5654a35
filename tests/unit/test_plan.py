"""``stream-app plan``: arithmetic that holds for any figures, and what a user sees."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.cli import main
from stream_app.commands.sizing import Fleet, plan
from tools import scale_page

WINDOWS_S, KEPT = (60, 900, 3600), (5, 4, 24)
ASSETS = st.integers(1, 20_000_000)
RATES = st.floats(1e-4, 100)
EMITS = st.sampled_from([None, 0.0, 10.0])


@given(assets=ASSETS, rate=RATES, emit_s=EMITS, rows=st.integers(1, 600))
def test_a_plan_can_be_run(assets: int, rate: float, emit_s: float | None, rows: int) -> None:
    """One worker may fail, each has partitions, and none is planned for more than it can do."""
    found = plan(Fleet(assets, WINDOWS_S, KEPT, rows_per_s=rate, rows_per_message=rows, emit_s=emit_s))
    assert found.workers >= 2
    assert found.partitions >= 2 * found.workers
    assert found.cores / found.workers <= 0.6 + 1e-9
    assert found.settings["STREAM_KAFKA__PARTITIONS"] == str(found.partitions)
    assert min(found.memory_mb, found.kafka_mb_per_s, found.topics_gb, found.failover_s) > 0


@given(assets=st.integers(1, 1_000_000), rate=RATES, emit_s=st.sampled_from([0.0, 10.0]))
def test_twice_the_fleet_is_twice_the_load(assets: int, rate: float, emit_s: float) -> None:
    """Rates and what is stored grow with the assets; workers and partitions never shrink."""
    one, two = (plan(Fleet(n * assets, WINDOWS_S, KEPT, rows_per_s=rate, emit_s=emit_s)) for n in (1, 2))
    for name in ("rows_per_s", "states_per_s", "updates_per_s", "kafka_mb_per_s", "topics_gb", "database_gb"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name))
    assert two.workers >= one.workers
    assert two.partitions >= one.partitions


@given(assets=ASSETS, rate=RATES)
def test_more_rows_in_a_message_and_an_emit_interval_save_work(assets: int, rate: float) -> None:
    """So the advice is sound by the figures."""
    single = plan(Fleet(assets, WINDOWS_S, KEPT, rows_per_s=rate, emit_s=0))
    assert plan(Fleet(assets, WINDOWS_S, KEPT, rows_per_s=rate, emit_s=10)).workers <= single.workers
    assert (
        plan(Fleet(assets, WINDOWS_S, KEPT, rows_per_s=rate, rows_per_message=60, emit_s=0)).workers <= single.workers
    )


def test_a_large_fleet_is_told_what_to_set_and_what_is_near_its_limit() -> None:
    """Its assets are all new at the first start."""
    found = plan(Fleet(1_000_000, WINDOWS_S, KEPT, rows_per_message=600))
    per_partition = 1_000_000 / found.partitions
    assert int(found.settings["STREAM_MAX_NEW_ASSETS_PER_MIN"]) >= per_partition
    assert any("new assets" in limit for limit in found.limits)
    assert plan(Fleet(100, WINDOWS_S, KEPT)).limits == ()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stream-app", "plan", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def test_the_command_prints_the_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As lines, as JSON, and with the windows of the settings."""
    assert run(monkeypatch, "10000") == 0
    assert "STREAM_KAFKA__PARTITIONS=" in capsys.readouterr().out
    assert run(monkeypatch, "10000", "--json") == 0
    four = json.loads(capsys.readouterr().out)
    assert four["fleet"]["assets"] == 10_000
    monkeypatch.setenv("STREAM_WINDOWS", '["1h"]')
    assert run(monkeypatch, "10000", "--json") == 0
    assert json.loads(capsys.readouterr().out)["closed_per_s"] < four["closed_per_s"]
    assert run(monkeypatch, "0") == 2


def test_the_page_is_current() -> None:
    """Its tables are those of the figures: ``make docs`` writes them."""
    assert scale_page.FILE.read_text("utf-8") == scale_page.render()
