"""A dead letter can always be made and written, whatever the message is."""

from __future__ import annotations

from hashlib import sha256
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import HEADER_PREFIX
from stream_app.infra.kafka.log import batch_writing
from stream_app.infra.kafka.log.batch_writing import RecordBlock, whole_batches
from stream_app.infra.kafka.log.record_batches import Portion, batches
from stream_app.infra.kafka.log.topics import RECORD_MAX_BYTES
from stream_app.usecases import dead_letters
from stream_app.usecases.dead_letters import LETTER_MAX_BYTES, dead_letter
from stream_app.usecases.ports import DeadLetter
from stream_app.wire.batch import Fetch, Headers, Reject, header_name, header_name_bytes
from tests.unit.usecases.site import Site, a_row

_LIMIT_BYTES = 300_000
_sizes = st.sampled_from([0, 1, 70_000, _LIMIT_BYTES, 20 * _LIMIT_BYTES])
_bytes = st.one_of(st.none(), st.binary(max_size=50), _sizes.map(bytes))
_header = st.tuples(st.binary(max_size=12).map(header_name), st.one_of(st.none(), st.binary(max_size=12)))
_headers = st.one_of(
    st.lists(_header, max_size=20),
    st.tuples(_header, st.sampled_from([1000, 30_000])).map(lambda drawn: [drawn[0]] * drawn[1]),
)


def read_back(letter: DeadLetter) -> tuple[bytes | None, bytes | None, Headers]:
    """Write a letter as the producer does, and read it as a fetch is read."""
    portion = Portion(0)
    for built in whole_batches("dlq", [RecordBlock.of([(letter.key, letter.value, letter.headers)])]):
        for batch in batches(bytes(built._build())):
            assert batch.is_sound()
            portion.add(batch)
    records = portion.records()
    return records.keys[0], records.values[0], records.headers[0]


def fetch_of(key: bytes | None, value: bytes | None, headers: Headers) -> Fetch:
    return Fetch("measurements", 3, 7, 8, [7], [key], [value], [-1], [headers])


@given(_bytes, _bytes, _headers, st.text(max_size=30))
def test_a_letter_is_written_whatever_is_in_it(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], reason: str
) -> None:
    """As it was if it fits; else with the digest and size of what is cut, and where the original is."""
    limits = (
        patch.object(dead_letters, "LETTER_MAX_BYTES", _LIMIT_BYTES),
        patch.object(batch_writing, "RECORD_MAX_BYTES", _LIMIT_BYTES),
    )
    with limits[0], limits[1]:
        got_key, got_value, got = read_back(
            dead_letter(fetch_of(key, value, headers), Reject(0, None, "bad_row", reason))
        )
    told = {name.removeprefix(HEADER_PREFIX): v for name, v in got if name.startswith(HEADER_PREFIX)}
    kept = [header for header in got if not header[0].startswith(HEADER_PREFIX)]
    assert (told["topic"], told["partition"], told["offset"]) == (b"measurements", b"3", b"7")
    cut = (told.get("cut") or b"").decode().split(",")
    for name, original, found in (("key", key, got_key), ("value", value, got_value)):
        if name not in cut:
            assert found == original
            continue
        assert original is not None
        assert found is not None
        assert original.startswith(found)
        assert told[f"{name}_bytes"] == str(len(original)).encode()
        assert told[f"{name}_sha256"] == sha256(original).hexdigest().encode()
    if "headers" in cut:
        assert told["headers_left_out"] == str(len(headers) - len(kept)).encode()
    else:
        assert kept == headers


def test_what_fits_is_whole_and_the_limit_is_the_topics() -> None:
    """A message that the measurements topic takes is rarely cut."""
    assert LETTER_MAX_BYTES < RECORD_MAX_BYTES
    value = bytes(LETTER_MAX_BYTES - 10_000)
    letter = dead_letter(fetch_of(b"k", value, []), Reject(0, None, "bad_row", "because"))
    assert letter.value == value


def test_many_positions_are_cut_between_two_of_them() -> None:
    """A header of megabytes tells nobody more."""
    letter = dead_letter(fetch_of(b"k", b"[]", []), Reject(0, tuple(range(0, 10**6, 2)), "bad_row", "because"))
    told = dict(letter.headers)
    assert told[HEADER_PREFIX + "cut"] == b"row"
    row = (told[HEADER_PREFIX + "row"] or b"").decode().split(",")
    assert row == [str(2 * i) for i in range(len(row))]


def test_half_a_surrogate_pair_in_a_reason_is_written() -> None:
    """JSON can hold one, UTF-8 cannot."""
    letter = dead_letter(fetch_of(b"k", b"{}", []), Reject(0, None, "bad_row", "asset_id is \ud800"))
    assert dict(letter.headers)[HEADER_PREFIX + "message"] == rb"asset_id is \ud800"


@given(st.binary(max_size=20))
def test_a_header_s_name_is_any_bytes(name: bytes) -> None:
    """Carried as they are."""
    assert header_name_bytes(header_name(name)) == name


@given(_headers, st.one_of(st.none(), st.binary(max_size=30)), st.one_of(st.none(), st.binary(max_size=30)))
def test_neighbours_of_bad_and_late_rows_count(
    headers: list[tuple[str, bytes | None]], key: bytes | None, value: bytes | None
) -> None:
    """Whatever the headers of a bad and a late row: one letter each, and all others count."""
    site = Site()
    site.add("a", a_row(10), a_row(5))
    site.log.append((key, value))
    site.add("a", a_row(11))
    fetch = site.fetch()
    site.ingest.apply(Fetch("m", 0, 0, 4, fetch.offsets, fetch.keys, fetch.values, [-1, -1, 0, 5], [headers] * 4))
    letters = site.written().dead_letters
    assert len(letters) == 2
    assert site.rows("a") == 2
    assert all(list(letter.headers)[: len(headers)] == headers for letter in letters)
