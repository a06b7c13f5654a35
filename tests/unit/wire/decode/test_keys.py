"""Keys of messages: each keeps its number for as long as the dictionary lives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.byte_column import ByteColumn
from stream_app.wire.decode.key_numbers import KeyNumbers
from stream_app.wire.decode.keys import KeyDictionary

_keys = st.one_of(st.none(), st.binary(max_size=30), st.sampled_from([b"", b"a", b"asset-0001", b"asset-0002"]))
_fetches = st.lists(st.lists(_keys, max_size=200), max_size=4)


@given(_fetches)
def test_numbers_are_those_of_a_plain_dictionary(fetches: list[list[bytes | None]]) -> None:
    """Each different string gets the next number and keeps it, however the strings are cut into fetches."""
    numbers = KeyNumbers()
    known: dict[bytes, int] = {}
    for keys in fetches:
        expected = [-1 if key is None else known.setdefault(key, len(known)) for key in keys]
        assert numbers.of(ByteColumn.of(keys)).tolist() == expected
        assert numbers.since(0) == list(known)


def test_many_strings_and_long_ones() -> None:
    """The room grows as strings come, one by one or all at once."""
    strings: list[bytes | None] = [b"%d" % i for i in range(5_000)]
    numbers = KeyNumbers()
    assert numbers.of(ByteColumn.of(strings)).tolist() == list(range(5_000))
    assert numbers.of(ByteColumn.of([b"x" * 3_000_000, b"17"])).tolist() == [5_000, 17]
    assert numbers.of(ByteColumn.of(strings)).tolist() == list(range(5_000))


def test_strings_at_the_very_end_of_a_buffer() -> None:
    """Nothing behind the last byte is looked at: equal beginnings differ by what they hold, not by what follows."""
    column = ByteColumn.of([b"asset-0001x", b"asset-0001y", b"asset-0001"])
    tight = ByteColumn(column.buffer[: int(column.ends[-1])], column.starts, column.ends)
    assert KeyNumbers().of(tight).tolist() == [0, 1, 2]


def test_what_names_no_asset() -> None:
    """No key, an empty one and one that is not UTF-8 name nothing; a quote keeps a key from standing in JSON."""
    keys = KeyDictionary().read(ByteColumn.of([b"a", None, b"", b"\xff", b'"b"', b"a"]))
    assert [keys.asset_id(i) for i in range(6)] == ["a", None, None, None, '"b"', "a"]
    assert keys.named(np.arange(6)).tolist() == [0, 4, 5]
    assert [key or b"" for key in keys.plain()] == [b"a", b"", b"", b"", b"", b"a"]


def test_a_dictionary_that_is_too_large_is_begun_anew() -> None:
    """Its numbers then belong to another list, by which whoever keeps them notices."""
    dictionary = KeyDictionary(most=2)
    first = dictionary.read(ByteColumn.of([b"a", b"b", b"c"]))
    second = dictionary.read(ByteColumn.of([b"c", b"d"]))
    assert second.assets is not first.assets
    assert [second.asset_id(i) for i in range(2)] == ["c", "d"]
    assert [first.asset_id(i) for i in range(3)] == ["a", "b", "c"]
