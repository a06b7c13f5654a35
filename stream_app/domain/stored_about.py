"""What a stored state tells as JSON before its numbers: the spec, and how many numbers of each kind follow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.asset import AssetSpec
from schemas.control import EndOfUpload
from stream_app.domain import since as sinces
from stream_app.domain.since import Since, Sinces, Window
from stream_app.domain.state import DEFAULT_SPEC, Ended


@dataclass(frozen=True, slots=True)
class About:
    """The JSON of one stored asset, as it is read.

    Parameters
    ----------
    levels
        Window sizes of the asset.
    own_sizes
        Whether a spec has named them.
    waiting
        Rows that wait; of each the readings ``columns`` are stored.
    tails
        Numbers on the stack of each sequential state.
    ended, since
        As JSON values: how an upload ended, if it has; since when late fields count.
    """

    spec: AssetSpec
    levels: int
    own_sizes: bool
    waiting: int
    columns: tuple[str, ...]
    tails: tuple[int, ...]
    ended: Mapping[str, Any] | None
    since: tuple[Any, ...]

    def end(self) -> Ended | None:
        """How the upload ended."""
        ended = self.ended
        return None if ended is None else Ended(EndOfUpload.model_validate(ended["control"]), ended["timestamp_ms"])

    def sinces(self, known: frozenset[str]) -> Sinces:
        """Since when fields count, of those that are known."""
        return sinces.load(self.since, known) if self.since else {}


@lru_cache(maxsize=1 << 12)  # assets that have few rows tell the same
def read_about(text: bytes) -> About:
    """Read the JSON; what fails is among the errors of :func:`stream_app.domain.value_reader.reading`."""
    about = json.loads(text)
    return About(
        spec=_spec(json.dumps(about["spec"])),
        levels=int(about["levels"]),
        own_sizes=bool(about["own_sizes"]),
        waiting=int(about["waiting"]),
        columns=tuple(about["columns"]),
        tails=tuple(map(int, about["tails"])),
        ended=about.get("ended"),
        since=tuple(about.get("since", ())),
    )


def read_window(text: bytes) -> tuple[AssetSpec, Sequence[Any]]:
    """Spec and late fields (as JSON values) of a closed window, read as :func:`read_about` does."""
    about = json.loads(text)
    return _spec(json.dumps(about["spec"])), about.get("since", ())


@lru_cache(maxsize=1 << 12)  # most assets have one of few specs
def _spec(text: str) -> AssetSpec:
    spec = AssetSpec.model_validate(json.loads(text))
    return DEFAULT_SPEC if spec == DEFAULT_SPEC else spec  # the same object: to compare specs takes a microsecond


@lru_cache(maxsize=1 << 14)
def begun(
    spec_json: bytes, levels: int, waiting: int, measured: int, own_sizes: bool, columns: tuple[str, ...]
) -> bytes:
    """The JSON of an asset up to the lengths of its tails, which follow separated by commas.

    Parameters
    ----------
    measured
        Which of the columns are stored, as bits.
    """
    about = {
        "levels": levels,
        "own_sizes": own_sizes,
        "waiting": waiting,
        "columns": [name for i, name in enumerate(columns) if measured >> i & 1],
        "tails": [],
    }
    return b'{"spec":%b,' % spec_json + json.dumps(about, separators=(",", ":")).encode()[1:-2]


#: What follows the lengths of the tails of nearly all assets.
PLAIN_END = b"]}"


def ending(ended: Ended | None, since: Mapping[Window, tuple[Since, ...]] | None) -> bytes:
    """What follows the lengths of the tails."""
    more: dict[str, Any] = {}
    if ended is not None:
        more["ended"] = {"control": ended.control.model_dump(), "timestamp_ms": ended.timestamp_ms}
    if since is not None:
        more["since"] = sinces.dump(since)
    return b"]," + json.dumps(more, separators=(",", ":")).encode()[1:] if more else PLAIN_END


@lru_cache(maxsize=1 << 12)  # windows of a checkpoint have few specs between them
def of_window(spec_json: bytes, since: tuple[Since, ...] | None) -> bytes:
    """The JSON of a closed window."""
    if since is None:
        return b'{"spec":%b}' % spec_json
    late = json.dumps(sinces.dump({sinces.LIFE: since}), separators=(",", ":")).encode()
    return b'{"spec":%b,"since":%b}' % (spec_json, late)
