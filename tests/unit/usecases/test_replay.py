"""Dead letters read back, chosen, and made into the messages of a replay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import ATTEMPT_HEADER, HEADER_PREFIX, ROWS_HEADER
from stream_app.usecases.dead_letters import dead_letter
from stream_app.usecases.letters import StoredLetter
from stream_app.usecases.replay import Choice, Letter, Place, Progress, republished
from stream_app.wire.batch import Fetch, Headers, Reject

OWN: Headers = [("trace", b"1"), ("twice", b"a"), ("twice", None)]


def refused(
    value: bytes = b"{}", rows: tuple[int, ...] | None = (3, 4, 7), headers: Headers = OWN, key: bytes | None = b"a"
) -> StoredLetter:
    """A letter as the worker writes it, of offset 17 in partition 2."""
    fetch = Fetch("measurements", 2, 17, 18, [17], [key], [value], [1000], [headers])
    made = dead_letter(fetch, Reject(0, rows, "bad_row", "soc must be a number"))
    return StoredLetter(0, 5, 2000, made.key, made.value, made.headers)


def test_a_letter_tells_where_its_original_stands() -> None:
    """And what of it is meant."""
    letter = Letter.of(refused())
    assert (letter.code, letter.reason, letter.rows) == ("bad_row", "soc must be a number", "3-4,7")
    assert (letter.source, letter.asset_id, letter.attempt) == (Place("measurements", 2, 17), "a", 0)
    assert letter.obstacle("measurements", 1) is None


def test_a_replay_is_the_original_with_what_is_meant() -> None:
    """Own headers stay as they were, those of the letter go."""
    key, value, headers = republished(Letter.of(refused(b"\xff\x00")), None)
    assert (key, value) == (b"a", b"\xff\x00")
    assert headers == [*OWN, (ATTEMPT_HEADER, b"1"), (ROWS_HEADER, b"3-4,7")]
    assert (ROWS_HEADER, b"3-4,7") not in republished(Letter.of(refused(rows=None)), None)[2]


def test_a_replay_that_is_refused_again_is_the_next_attempt() -> None:
    """It means what is left of the rows, and all that were meant if the message was refused as a whole."""
    first = republished(Letter.of(refused()), None)[2]
    again = Letter.of(refused(rows=(4,), headers=first))
    assert (again.attempt, again.rows) == (1, "4")
    assert republished(again, None)[2] == [*OWN, (ATTEMPT_HEADER, b"2"), (ROWS_HEADER, b"4")]
    assert Letter.of(refused(rows=None, headers=first)).rows == "3-4,7"
    assert (again.obstacle("measurements", 1), again.obstacle("measurements", 2)) == ("attempts_used_up", None)


def test_a_cut_letter_needs_its_original() -> None:
    """Which is known by its hash."""
    value = b"x" * (9 << 20)
    letter = Letter.of(refused(value))
    assert letter.cut == {"value"}
    original = StoredLetter(2, 17, 1000, b"a", value, OWN)
    assert letter.is_of(original)
    assert republished(letter, original)[:2] == (b"a", value)
    assert not letter.is_of(original._replace(value=b"y" * len(value)))
    assert not letter.is_of(original._replace(value=None))
    most = Letter.of(refused(rows=tuple(range(0, 100_000, 2))))
    assert most.obstacle("measurements", 1) == "rows_cut"


def test_what_is_not_this_programs_is_left() -> None:
    """And what is of another topic."""
    stranger = Letter.of(StoredLetter(0, 0, 0, None, None, [(HEADER_PREFIX + "offset", b"x")]))
    assert (stranger.code, stranger.obstacle("measurements", 1)) == ("unknown", "foreign")
    assert Letter.of(refused()).obstacle("other", 1) == "other_topic"


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice(assets=frozenset({"a", "b"}), codes=frozenset({"bad_row"}), from_ms=2000, until_ms=2001), True),
        (Choice(assets=frozenset({"b"})), False),
        (Choice(codes=frozenset({"late"})), False),
        (Choice(from_ms=2001), False),
        (Choice(until_ms=2000), False),
    ],
)
def test_letters_are_chosen(choice: Choice, taken: bool) -> None:
    """By key, code and time."""
    assert choice.takes(Letter.of(refused())) is taken


@given(st.integers(0, 5), st.lists(st.lists(st.integers(0, 40))), st.integers(0, 45))
def test_progress_remembers_what_was_replayed_in_any_order(begin: int, runs: list[list[int]], log_start: int) -> None:
    """Over any number of runs, each of which reads what the one before has written."""
    done: set[int] = set()
    progress = Progress(begin)
    for run in runs:
        progress = Progress.load(progress.position, progress.dump())
        for offset in run:
            progress.add(offset)
            done.add(offset)
    assert [offset for offset in range(begin, 50) if progress.has(offset)] == sorted(
        offset for offset in done if offset >= begin
    )
    assert not progress.has(progress.position)
    progress.skip_to(log_start)
    assert progress.position >= log_start
    assert [offset for offset in range(max(begin, log_start), 50) if progress.has(offset)] == sorted(
        offset for offset in done if offset >= max(begin, log_start)
    )


@pytest.mark.parametrize("metadata", ["", "stream-app", "1,", "7"])
def test_what_somebody_else_has_committed_counts_as_an_offset(metadata: str) -> None:
    """Its metadata means nothing here."""
    progress = Progress.load(3, metadata)
    assert [progress.has(offset) for offset in (2, 3, 9)] == [True, False, False]
