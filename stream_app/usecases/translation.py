"""Rows with other names than ours: read by the profile that their asset's spec names, from the spec's record on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from schemas.asset import AssetSpec
from schemas.control import Forget, SpecControl
from stream_app.usecases.ports import RowTranslator
from stream_app.wire.batch import Batch, Fetch
from stream_app.wire.decode import Decoder
from stream_app.wire.decode.explain import Translate


class Translation:
    """Decodes a partition's fetches; rows that the contract refuses are read by their asset's profile.

    Parameters
    ----------
    spec_of
        Spec in force of an asset, as the state has it.
    """

    #: Reads rows that the contract refuses; None: nothing does. To be set before the first fetch.
    translator: RowTranslator | None = None

    def __init__(self, spec_of: Callable[[str], AssetSpec]) -> None:
        self._spec_of = spec_of
        self.decoder = Decoder(self._of)

    def parts(self, fetch: Fetch) -> Iterator[tuple[Fetch, Batch]]:
        """Parts of a fetch, decoded: each is to be applied before the next is asked for, since it may change a profile.

        Almost always the fetch is one part.
        """
        batch = self.decoder.decode(fetch)
        ends = self._changes(batch)
        if not ends or ends == [len(fetch.offsets)]:
            yield fetch, batch
            return
        for low, high in pairwise(sorted({0, *ends, len(fetch.offsets)})):
            part = fetch.part(low, high)
            yield part, self.decoder.decode(part)

    def _changes(self, batch: Batch) -> list[int]:
        """Messages after those that may change by what profile later ones are read; empty where none is read so."""
        if self.translator is None:
            return []
        named, ends = set[str](), list[int]()
        for record in batch.controls:
            control = record.control
            if not isinstance(control, SpecControl | Forget):
                continue
            had = self._spec_of(control.asset_id).profile is not None or control.asset_id in named
            has = isinstance(control, SpecControl) and control.spec.profile is not None
            # Without a refused row nothing is to be read otherwise, unless it was by the profile before.
            if had or (has and batch.rejects):
                named.add(control.asset_id)
                ends.append(record.message + 1)
        return ends

    def _of(self, asset_id: str) -> Translate | None:
        if self.translator is None or (spec := self._spec_of(asset_id)).profile is None:
            return None
        return partial(self.translator, spec, asset_id)
