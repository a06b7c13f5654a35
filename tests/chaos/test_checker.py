"""The suite's own checks go red when something is wrong: an honest run is judged, then tampered with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import orjson
import pytest

from tests.chaos import nemesis
from tests.chaos.honest import CUT, Kept, Topics, run
from tests.chaos.traffic import fleet
from tests.chaos.truth import Truth
from tests.chaos.uploads import Accepted, check_task
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

PROCESS = ("http://one", 1)


@pytest.fixture(scope="module")
def honest() -> Topics:
    return run(fleet(seed=5, rows=6000, assets=8))


@pytest.fixture
def topics(honest: Topics) -> Topics:
    return Topics(list(honest.measurements), list(honest.metrics), list(honest.letters), list(honest.assets))


def test_an_honest_run_is_exact(topics: Topics) -> None:
    """The truth of plain code is what the real command side arrives at, dead letters included."""
    verdict = topics.judged()
    assert verdict.contradictions == []
    assert verdict.ok
    assert len(topics.letters) > 5
    assert any(orjson.loads(record.value or b"")["final"] for record in topics.metrics)


def _single(topics: Topics) -> int:
    """Position of a message that is one good row."""
    rejected = {offset for _, offset, _ in Truth().take(topics.measurements).rejects}
    return next(
        i for i, r in enumerate(topics.measurements) if (r.value or b"")[:1] == b"{" and i not in rejected and i > CUT
    )


def test_a_doubled_row_is_found(topics: Topics) -> None:
    """A row that counts though it is not in the topic."""
    del topics.measurements[_single(topics)]
    verdict = topics.judged()
    assert verdict.doubled["metrics lifetime"] == verdict.doubled["metrics 1m"] == 1
    assert not verdict.ok


def test_a_lost_row_is_found(topics: Topics) -> None:
    """A row of the topic that does not count."""
    last = topics.measurements[_single(topics)]
    row = orjson.loads(last.value or b"") | {"timestamp": 1_700_000_000}
    topics.measurements.append(replace(last, offset=len(topics.measurements), value=orjson.dumps(row)))
    verdict = topics.judged()
    assert verdict.lost["metrics lifetime"] == 1
    assert not verdict.ok


def test_a_row_that_counts_for_another_is_found(topics: Topics) -> None:
    """Right number of rows, wrong sums."""
    at = _single(topics)
    row = orjson.loads(topics.measurements[at].value or b"")
    row["current"] += 7
    topics.measurements[at] = replace(topics.measurements[at], value=orjson.dumps(row))
    verdict = topics.judged()
    assert not verdict.lost.total()
    assert not verdict.doubled.total()
    assert any("plain sums give" in text for text in verdict.contradictions)


def _changed(record: Kept, **changes: object) -> Kept:
    return replace(record, value=orjson.dumps(orjson.loads(record.value or b"") | changes))


def _repeat(topics: Topics) -> None:
    topics.metrics.append(topics.metrics[-1])


def _say_two_things(topics: Topics) -> None:
    said = orjson.loads(topics.metrics[-1].value or b"")
    said["metrics"]["soc_max_percent"]["value"] = 99.5
    topics.metrics.append(replace(topics.metrics[-1], value=orjson.dumps(said)))


def _go_back(topics: Topics) -> None:
    topics.metrics.append(_changed(topics.metrics[-1], seq=1))


def _finals(topics: Topics) -> list[Kept]:
    return [record for record in topics.metrics if orjson.loads(record.value or b"")["final"]]


def _end_twice(topics: Topics) -> None:
    final = _finals(topics)[0]
    topics.metrics.append(_changed(final, seq=orjson.loads(final.value or b"")["seq"] + 1))


def _go_on_after_the_end(topics: Topics) -> None:
    final = _finals(topics)[0]
    topics.metrics.append(_changed(final, seq=orjson.loads(final.value or b"")["seq"] + 1, final=False))


def _lose_a_letter(topics: Topics) -> None:
    del topics.letters[0]


def _reject_too_much(topics: Topics) -> None:
    headers = tuple((n, b"0" if n.endswith(".offset") else v) for n, v in topics.letters[0].headers)
    topics.letters.append(replace(topics.letters[0], headers=headers))


def _change_a_letter(topics: Topics) -> None:
    topics.letters[0] = replace(topics.letters[0], value=b"something else")


def _write_old_state(topics: Topics) -> None:
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
def test_contradictions_are_found(topics: Topics, tamper: Callable[[Topics], None], said: str) -> None:
    """Whatever contradicts the promises makes a run fail, and says what it is."""
    tamper(topics)
    verdict = topics.judged()
    assert any(said in text for text in verdict.contradictions)
    assert not verdict.ok


def test_an_overtaken_update_is_noted(topics: Topics) -> None:
    """A reader that keeps the highest seq is not misled by an older one that comes later."""
    _go_back(topics)
    verdict = topics.judged()
    assert verdict.notes["overtaken updates"] == 1
    assert verdict.ok


def test_an_old_state_that_is_written_over_is_noted(topics: Topics) -> None:
    """What a worker writes late does no harm once the owner has written the newer one again."""
    _write_old_state(topics)
    old = topics.assets[0]
    topics.assets.append([record for record in topics.assets[:-1] if record.key == old.key][-1])
    verdict = topics.judged()
    assert verdict.notes["overtaken entries"] == 1
    assert verdict.ok


def test_a_repetition_is_allowed(topics: Topics) -> None:
    """The same bytes again are no contradiction, but they are counted."""
    _repeat(topics)
    verdict = topics.judged()
    assert verdict.ok
    assert verdict.notes == {"repeated updates": 1}


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
    watch = Watch()
    watch.answered(PROCESS, "a", watch.before(PROCESS, "a"), _answer(404))
    watch.answered(PROCESS, "a", watch.before(PROCESS, "a"), _answer(200))
    watch.answered(PROCESS, "a", watch.before(PROCESS, "a"), _answer(503, headers={"Retry-After": "1"}))
    assert watch.violations == []
    watch.answered(PROCESS, "a", watch.before(PROCESS, "a"), answer)
    assert len(watch.violations) >= 1
    assert said in watch.violations[0]


def test_answers_are_judged_by_what_was_known_when_they_were_asked_for() -> None:
    """An answer that was overtaken by a newer one is no step back, and another process may be behind."""
    watch = Watch()
    early = watch.before(PROCESS, "a")
    watch.answered(PROCESS, "a", watch.before(PROCESS, "a"), _answer(200, seq=9))
    watch.answered(PROCESS, "a", early, _answer(200, seq=5))
    watch.answered(("http://two", 1), "a", watch.before(("http://two", 1), "a"), _answer(200, seq=7))
    assert watch.violations == []


@pytest.mark.parametrize(
    ("state", "rows", "exact"), [("SUCCESS", 7, True), ("SUCCESS", 6, False), ("STARTED", 7, False)]
)
def test_accepted_uploads_must_succeed_exactly(state: str, rows: int, exact: bool) -> None:
    """An upload that was accepted is not lost, not halved, not for ever on its way."""
    verdict = Verdict()
    status = {
        "state": state,
        "error": None,
        "data": {"total_data_points": rows},
        "progress": {"rows_sent": 7, "rows_applied": rows, "rows_rejected": 0},
    }
    check_task("http://one", Accepted("x", 7), status, verdict)
    assert verdict.ok is exact


def test_the_seed_names_the_faults() -> None:
    """A plan can be had again, and no step of it needs a worker that the plan has ended."""
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
