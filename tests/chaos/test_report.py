"""Outcomes of several calls are gathered into one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.findings import Findings
from tests.chaos.provenance import Provenance
from tests.chaos.report import gathered, summary, table
from tests.chaos.runs import Outcome, percentile

PROVENANCE = Provenance("2026-11-24", "Apache Kafka 4.1.0", "python -m tests.chaos --fault C4")


def _saved(directory: Path, name: str, seed: int, *contradictions: str) -> Outcome:
    findings = Findings(rows=7, contradictions=list(contradictions))
    findings.notes["repeated updates"] = 2
    outcome = Outcome(
        name, seed, directory / f"{name}-{seed}", "something", 3, 1.5, 9.0, findings, [0.5], provenance=PROVENANCE
    )
    outcome.figures["fail-over"] = [float(second) for second in range(1, 21)]
    outcome.directory.mkdir(parents=True)
    outcome.save()
    return outcome


def test_outcomes_of_several_calls_are_gathered(tmp_path: Path) -> None:
    """They are read back as saved, ordered by fault and seed."""
    saved = [_saved(tmp_path / "b", "F1", 2), _saved(tmp_path / "a", "F1", 10), _saved(tmp_path / "c", "F2", 1)]
    outcomes, unfinished = gathered([tmp_path / "c", tmp_path / "b", tmp_path / "a"])
    assert outcomes == saved
    assert unfinished == []
    assert "2 of 2" in table(outcomes)
    assert table(outcomes).startswith("2026-11-24, Apache Kafka 4.1.0.\n`python -m tests.chaos --fault C4`\n")
    assert "fail-over: 40, p50 10.0, p95 19.0, max 20.0 s" in table(outcomes)
    assert "fail-over: 60, p50 10.0, p95 19.0, max 20.0 s: all exact" in summary(outcomes)


def test_a_failed_and_an_unfinished_run_fail_the_gathering(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was cut off left no outcome: the report must not pass over it."""
    assert main(["--gather", str(tmp_path)]) == 1
    _saved(tmp_path, "F1", 1)
    assert main(["--gather", str(tmp_path)]) == 0
    (tmp_path / "F1-2").mkdir()
    (tmp_path / "F1-2" / "history.jsonl").touch()
    assert main(["--gather", str(tmp_path)]) == 1
    assert "came to no end" in capsys.readouterr().out
    _saved(tmp_path / "more", "F1", 3, "state: wrong")
    assert main(["--gather", str(tmp_path / "more")]) == 1
    assert capsys.readouterr().out.endswith("FAILED F1/3\n")


@pytest.mark.parametrize(("count", "due"), [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (100, 95)])
def test_a_percentile_is_a_value_that_was_measured(count: int, due: int) -> None:
    """Nearest rank: nothing is interpolated."""
    assert percentile(list(range(count, 0, -1)), 95) == due
