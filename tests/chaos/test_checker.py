"""The suite's own checks fail when something is wrong: a correct run passes, a tampered one does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import orjson
import pytest

from stream_app.domain.catalogue import Catalogue
from stream_app.usecases.asset_views import AssetViews
from tests.chaos import nemesis
from tests.chaos.findings import Findings
from tests.chaos.local_run import CUT, StoredRecord, TopicContents, run
from tests.chaos.prober import AnswerCheck
from tests.chaos.traffic import START_S, Message, fleet
from tests.chaos.truth import Truth
from tests.chaos.uploads import Accepted, check_task

PROCESS = ("http://one", 1)


@pytest.fixture(scope="module")
def untampered() -> TopicContents:
    return run(fleet(seed=5, rows=6000, assets=8))


@pytest.fixture
def topics(untampered: TopicContents) -> TopicContents:
    return TopicContents(
        list(untampered.measurements), list(untampered.metrics), list(untampered.letters), list(untampered.assets)
    )


def test_a_correct_run_is_exact(topics: TopicContents) -> None:
    """Plain code and the real use cases arrive at the same results, dead letters included."""
    findings = topics.check()
    assert findings.contradictions == []
    assert findings.ok
    assert len(topics.letters) > 5
    assert any(orjson.loads(record.value or b"")["final"] for record in topics.metrics)


def test_a_row_that_leaps_at_the_end_is_in_the_state_alone() -> None:
    """It counts once another one confirms it: the state and its answers tell one row more than the metrics."""
    row = {"asset_id": "bess-000", "timestamp": 1_700_000_000, "current": 1.0, "voltage": 800.0, "soc": 50.0}
    topics = run([*fleet(seed=5, rows=6000, assets=8), Message(b"bess-000", orjson.dumps(row), 1)])
    assert topics.check().ok
    asset = Truth().take(topics.measurements).assets["bess-000"]
    state = {record.key: record.value for record in topics.assets}[b"bess-000"]
    view = AssetViews(Catalogue(), {}).asset("bess-000", state or b"")
    assert (view.summary.rows, view.summary.rows_held) == (asset.known, 1)
    assert asset.known == len(asset.rows) + 1


@pytest.mark.parametrize("silence_s", [890, 910, 3590, 3610])
def test_the_first_step_may_take_an_hour(silence_s: int) -> None:
    """Nothing is known of an asset's pace then; later steps of minutes are gaps."""
    row = {"asset_id": "slow", "current": 40.0, "voltage": 800.0, "soc": 50.0}
    times = [0, *range(silence_s, silence_s + 100, 2), *range(2 * silence_s, 2 * silence_s + 100, 2)]
    slow = [Message(b"slow", orjson.dumps(row | {"timestamp": START_S + time}), 1) for time in times]
    topics = run([*fleet(seed=5, rows=6000, assets=8), *slow])
    assert topics.check().ok
    sums = Truth().take(topics.measurements).assets["slow"].sums()
    held_s = 98 + 98 + (silence_s if silence_s <= 3600 else 0)
    assert sums["charge_in_ah"] == pytest.approx(40 * held_s / 3600)


def _single(topics: TopicContents) -> int:
    """Position of a message that is one good row."""
    rejected = {offset for _, offset, _ in Truth().take(topics.measurements).rejects}
    return next(
        i for i, r in enumerate(topics.measurements) if (r.value or b"")[:1] == b"{" and i not in rejected and i > CUT
    )


def test_a_doubled_row_is_found(topics: TopicContents) -> None:
    """A row that is counted but is not in the topic."""
    del topics.measurements[_single(topics)]
    findings = topics.check()
    assert findings.doubled["metrics lifetime"] == findings.doubled["metrics 1m"] == 1
    assert not findings.ok


def test_a_lost_row_is_found(topics: TopicContents) -> None:
    """Two rows of the topic that are not counted: the second confirms the first, which leaps."""
    last = topics.measurements[_single(topics)]
    for second in (1_700_000_000, 1_700_000_001):
        row = orjson.loads(last.value or b"") | {"timestamp": second}
        topics.measurements.append(replace(last, offset=len(topics.measurements), value=orjson.dumps(row)))
    findings = topics.check()
    assert findings.lost["metrics lifetime"] == 2
    assert not findings.ok


def test_a_changed_row_is_found(topics: TopicContents) -> None:
    """The number of rows is right, the sums are wrong."""
    at = _single(topics)
    row = orjson.loads(topics.measurements[at].value or b"")
    row["current"] += 7
    topics.measurements[at] = replace(topics.measurements[at], value=orjson.dumps(row))
    findings = topics.check()
    assert not findings.lost.total()
    assert not findings.doubled.total()
    assert any("plain sums give" in text for text in findings.contradictions)


def _changed(record: StoredRecord, **changes: object) -> StoredRecord:
    return replace(record, value=orjson.dumps(orjson.loads(record.value or b"") | changes))


def _repeat(topics: TopicContents) -> None:
    topics.metrics.append(topics.metrics[-1])


def _say_two_things(topics: TopicContents) -> None:
    said = orjson.loads(topics.metrics[-1].value or b"")
    said["metrics"]["soc_max_percent"]["value"] = 99.5
    topics.metrics.append(replace(topics.metrics[-1], value=orjson.dumps(said)))


def _go_back(topics: TopicContents) -> None:
    topics.metrics.append(_changed(topics.metrics[-1], seq=1))


def _finals(topics: TopicContents) -> list[StoredRecord]:
    return [record for record in topics.metrics if orjson.loads(record.value or b"")["final"]]


def _end_twice(topics: TopicContents) -> None:
    final = _finals(topics)[0]
    topics.metrics.append(_changed(final, seq=orjson.loads(final.value or b"")["seq"] + 1))


def _go_on_after_the_end(topics: TopicContents) -> None:
    final = _finals(topics)[0]
    topics.metrics.append(_changed(final, seq=orjson.loads(final.value or b"")["seq"] + 1, final=False))


def _lose_a_letter(topics: TopicContents) -> None:
    del topics.letters[0]


def _reject_too_much(topics: TopicContents) -> None:
    headers = tuple((n, b"0" if n.endswith(".offset") else v) for n, v in topics.letters[0].headers)
    topics.letters.append(replace(topics.letters[0], headers=headers))


def _change_a_letter(topics: TopicContents) -> None:
    topics.letters[0] = replace(topics.letters[0], value=b"something else")


def _write_old_state(topics: TopicContents) -> None:
    topics.assets.append(topics.assets[0])


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_say_two_things, "said two things"),
        (_end_twice, "was final at seq"),
        (_go_on_after_the_end, "then came"),
        (_lose_a_letter, "is missing"),
        (_reject_too_much, "should not be there"),
        (_change_a_letter, "original bytes"),
        (_write_old_state, "went back from source offset"),
    ],
)
def test_contradictions_are_found(topics: TopicContents, tamper: Callable[[TopicContents], None], said: str) -> None:
    """Each broken promise fails the run and is named."""
    tamper(topics)
    findings = topics.check()
    assert any(said in text for text in findings.contradictions)
    assert not findings.ok


def test_an_overtaken_update_is_noted(topics: TopicContents) -> None:
    """An older seq after a newer one is only a note: a reader keeps the highest seq."""
    _go_back(topics)
    findings = topics.check()
    assert findings.notes["overtaken updates"] == 1
    assert findings.ok


def test_an_old_state_that_is_written_over_is_noted(topics: TopicContents) -> None:
    """An entry that a worker wrote late does no harm once the owner has written the newer one again."""
    _write_old_state(topics)
    old = topics.assets[0]
    topics.assets.append([record for record in topics.assets[:-1] if record.key == old.key][-1])
    findings = topics.check()
    assert findings.notes["overtaken entries"] == 1
    assert findings.ok


def test_a_repetition_is_allowed(topics: TopicContents) -> None:
    """The same bytes again are not a contradiction; they are counted."""
    _repeat(topics)
    findings = topics.check()
    assert findings.ok
    assert findings.notes == {"repeated updates": 1}


def _answer(status: int, seq: int = 5, rows: int = 3, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json={"meta": {"seq": seq, "owner": "http://one"}, "rows": rows}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_answer(404), "404 of an asset that had been seen"),
        (_answer(500), "500 of an asset"),
        (_answer(503), "503 without Retry-After"),
        (_answer(200, seq=4), "seq 4 with 3 rows after seq 5"),
        (_answer(200, seq=6, rows=0), "no rows of an asset"),
    ],
)
def test_answers_that_must_not_be_given_are_found(answer: httpx.Response, said: str) -> None:
    """Once an asset has been seen it is there, and never older from the same process."""
    check = AnswerCheck()
    check.answered(PROCESS, "a", check.before(PROCESS, "a"), _answer(404))
    check.answered(PROCESS, "a", check.before(PROCESS, "a"), _answer(200))
    check.answered(PROCESS, "a", check.before(PROCESS, "a"), _answer(503, headers={"Retry-After": "1"}))
    assert check.violations == []
    check.answered(PROCESS, "a", check.before(PROCESS, "a"), answer)
    assert len(check.violations) >= 1
    assert said in check.violations[0]


def test_answers_are_compared_with_what_was_known_at_the_question() -> None:
    """A slow answer that a newer one overtook is allowed, and another process may be behind."""
    check = AnswerCheck()
    early = check.before(PROCESS, "a")
    check.answered(PROCESS, "a", check.before(PROCESS, "a"), _answer(200, seq=9))
    check.answered(PROCESS, "a", early, _answer(200, seq=5))
    check.answered(("http://two", 1), "a", check.before(("http://two", 1), "a"), _answer(200, seq=7))
    assert check.violations == []


@pytest.mark.parametrize(
    ("state", "rows", "exact"), [("SUCCESS", 7, True), ("SUCCESS", 6, False), ("STARTED", 7, False)]
)
def test_accepted_uploads_must_succeed_exactly(state: str, rows: int, exact: bool) -> None:
    """An accepted upload is not lost, not cut short and does not stay unfinished."""
    findings = Findings()
    status = {
        "state": state,
        "error": None,
        "data": {"total_data_points": rows},
        "progress": {"rows_sent": 7, "rows_applied": rows, "rows_rejected": 0},
    }
    check_task("http://one", Accepted("x", 7), status, findings)
    assert findings.ok is exact


def test_the_seed_names_the_faults() -> None:
    """A seed always gives the same plan, and no step needs a worker that the plan has ended."""
    assert nemesis.plan(7, 60) == nemesis.plan(7, 60) != nemesis.plan(8, 60)
    alive = {0, 1}
    for step in nemesis.plan(7, 600):
        if step.action.startswith("start"):
            assert step.slot not in alive
            alive.add(step.slot)
        elif not step.action.startswith("broker"):
            assert step.slot in alive or step.action == "network well"
        if step.action in ("kill", "terminate"):
            alive.discard(step.slot)
