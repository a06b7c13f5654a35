"""Words: uncompiled, they are what they are compiled."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.columns.compiled import compiled
from stream_app.columns.words import trailing_zeros, word_at


@compiled
def _words(buffer: np.ndarray, words: np.ndarray, zeros: np.ndarray) -> None:
    for i in range(len(words)):
        words[i] = word_at(buffer, i)
        zeros[i] = trailing_zeros(words[i])


@given(st.binary(min_size=8, max_size=30))
def test_words_are_read_at_any_place(content: bytes) -> None:
    """Eight bytes, the first one lowest."""
    buffer = np.frombuffer(content, np.uint8) | np.uint8(1)
    words = np.empty(len(buffer) - 7, np.uint64)
    zeros = np.empty(len(words), np.int64)
    _words(buffer, words, zeros)
    expected = [int.from_bytes(buffer[i : i + 8].tobytes(), "little") for i in range(len(words))]
    assert words.tolist() == [int(word_at(buffer, i)) for i in range(len(words))] == expected
    assert zeros.tolist() == [trailing_zeros(word) for word in words] == [0] * len(words)


@given(st.integers(1, 2**64 - 1))
def test_zeros_below_the_lowest_bit(number: int) -> None:
    """They are counted in a number of 64 bits."""
    word = np.array([number], np.uint64)
    zeros = np.empty(1, np.int64)
    _words(word.view(np.uint8), np.empty(1, np.uint64), zeros)
    assert zeros[0] == trailing_zeros(word[0])
    assert number % (1 << int(zeros[0]) + 1) == 1 << int(zeros[0])
