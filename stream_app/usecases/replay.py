"""Dead letters read back: what each tells, which are chosen, and what of them is published once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from schemas.rejected import ATTEMPT_HEADER, HEADER_PREFIX, REPLAY_PREFIX, ROWS_HEADER
from stream_app.usecases.letters import StoredLetter
from stream_app.wire.batch import Headers

#: Why a letter is not replayed.
Obstacle = Literal["foreign", "other_topic", "attempts_used_up", "rows_cut", "original_gone"]

OBSTACLES: Final[dict[Obstacle, str]] = {
    "foreign": "not written by this program: no header says what is wrong with them",
    "other_topic": "of another topic than STREAM_KAFKA__MEASUREMENTS_TOPIC",
    "attempts_used_up": "refused again after each replay that --max-attempts allows",
    "rows_cut": "the list of their rows is cut: which of the message's rows are meant is not known",
    "original_gone": "cut, and the original message is not in its topic any more, or is another one",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, its headers read.

    Parameters
    ----------
    source
        Where the original stands; None: the letter is not this program's.
    rows
        Positions of the rows that are meant, such as ``3,17-20``; None: the whole message.
    attempt
        How often it was replayed.
    cut
        Parts that are not whole.
    """

    stored: StoredLetter
    code: str
    reason: str
    source: Place | None
    rows: str | None
    attempt: int
    cut: frozenset[str]
    value_sha256: str | None

    @classmethod
    def of(cls, stored: StoredLetter) -> Letter:
        """Read the headers of a letter; those of the original come first, and may have the same names."""
        told = {name: (value or b"").decode(errors="replace") for name, value in stored.headers}
        own = [name for name in told if name.startswith(HEADER_PREFIX)]
        about = {name.removeprefix(HEADER_PREFIX): told[name] for name in own}
        partition, offset = (_number(about.get(name)) for name in ("partition", "offset"))
        has_source = "topic" in about and partition is not None and offset is not None
        return cls(
            stored=stored,
            code=about.get("code", "unknown"),
            reason=about.get("message", ""),
            source=Place(about["topic"], partition or 0, offset or 0) if has_source else None,
            # A replayed message that is refused as a whole again was meant in part all the same.
            rows=about.get("row", told.get(ROWS_HEADER)),
            attempt=_number(told.get(ATTEMPT_HEADER)) or 0,
            cut=frozenset(filter(None, about.get("cut", "").split(","))),
            value_sha256=about.get("value_sha256"),
        )

    @property
    def asset_id(self) -> str | None:
        """The key as text, which is the asset's id if it is one; None: there is none."""
        key = self.stored.key
        return None if key is None else key.decode(errors="replace")

    def obstacle(self, topic: str, max_attempts: int) -> Obstacle | None:
        """Why the letter cannot be replayed to a topic; None: it can, if its original is there where it is cut."""
        if self.source is None:
            return "foreign"
        if self.source.topic != topic:
            return "other_topic"
        if self.attempt >= max_attempts:
            return "attempts_used_up"
        return "rows_cut" if "row" in self.cut else None

    def is_of(self, original: StoredLetter) -> bool:
        """Whether a record is the original of this letter, as far as the letter tells."""
        value, start = original.value, self.stored.value
        if self.value_sha256 is not None:
            return value is not None and sha256(value).hexdigest() == self.value_sha256
        return value == start


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; an empty part of it takes all.

    Parameters
    ----------
    from_ms, until_ms
        When the letter was written, Unix time; ``until_ms`` itself is not included.
    """

    assets: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    from_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is among them."""
        at_ms = letter.stored.timestamp_ms
        return (
            (not self.assets or letter.asset_id in self.assets)
            and (not self.codes or letter.code in self.codes)
            and (self.from_ms is None or at_ms >= self.from_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
        )


def republished(letter: Letter, original: StoredLetter | None) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of a replay: the original's, and which rows are meant in which attempt.

    ``original`` is the record that a cut letter names.
    """
    whole = original or letter.stored
    kept: list[tuple[str, bytes | None]] = [
        (name, value) for name, value in whole.headers if not name.startswith((REPLAY_PREFIX, HEADER_PREFIX))
    ]
    kept.append((ATTEMPT_HEADER, b"%d" % (letter.attempt + 1)))
    if letter.rows is not None:
        kept.append((ROWS_HEADER, letter.rows.encode()))
    return whole.key, whole.value, kept


class Progress:
    """Which letters of one partition were replayed: all before an offset, and some behind it.

    It fits into the metadata of the group's offset, so that letters may be chosen in any order: none is replayed twice,
    and none that was passed over is forgotten.
    """

    def __init__(self, position: int = 0, done: Sequence[tuple[int, int]] = ()) -> None:
        #: All letters before it were replayed, or are not there any more.
        self.position = position
        self._done = list(done)  # [from, until), ascending, apart from each other

    @classmethod
    def load(cls, position: int, metadata: str) -> Progress:
        """Read the metadata of a committed offset; what somebody else has written there counts for nothing."""
        done, at = [], position
        try:
            lengths = [int(part) for part in metadata.split(",")] if metadata else []
        except ValueError:
            lengths = []
        for left, taken in zip(lengths[::2], lengths[1::2], strict=False):
            done.append((at + left, at + left + taken))
            at += left + taken
        return cls(position, done)

    def dump(self) -> str:
        """Metadata: how many letters are left and how many are done, in turn, from the position on."""
        parts, at = [], self.position
        for begin, end in self._done:
            parts += [str(begin - at), str(end - begin)]
            at = end
        return ",".join(parts)

    def has(self, offset: int) -> bool:
        """Whether a letter was replayed."""
        return offset < self.position or any(begin <= offset < end for begin, end in self._done)

    def skip_to(self, log_start: int) -> None:
        """Forget what the log does not have any more."""
        if log_start > self.position:
            self.position = log_start
            self._done = [(max(begin, log_start), end) for begin, end in self._done if end > log_start]
            self._close()

    def add(self, offset: int) -> None:
        """Note a letter as replayed."""
        if self.has(offset):
            return
        joined: list[tuple[int, int]] = []
        for begin, end in sorted([*self._done, (offset, offset + 1)]):
            if joined and begin == joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((begin, end))
        self._done = joined
        self._close()

    def _close(self) -> None:
        if self._done and self._done[0][0] <= self.position:
            self.position = self._done.pop(0)[1]


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
