"""Slots of a batch's assets are those of a plain look-up, whatever comes, goes and comes again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.usecases.known_slots import UNKNOWN, KnownSlots


class Fleet:
    """Slots as a fleet gives them: one that is left is not used again."""

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.used = 0

    def load(self, asset_ids: Sequence[str]) -> list[int]:
        for asset_id in asset_ids:
            if asset_id not in self.slots:
                self.slots[asset_id], self.used = self.used, self.used + 1
        return [self.slots[asset_id] for asset_id in asset_ids]


_steps = st.lists(
    st.one_of(
        st.lists(st.integers(0, 9), min_size=1, max_size=20).map(lambda rows: ("rows", rows)),
        st.integers(0, 9).map(lambda asset: ("forget", [asset])),
        st.integers(0, 9).map(lambda asset: ("load", [asset])),
        st.permutations(range(10)).map(lambda order: ("renumber", list(order))),
    ),
    max_size=20,
)


@given(_steps)
def test_slots_are_those_of_the_fleet(steps: list[tuple[str, list[int]]]) -> None:
    """Rows, forgotten assets, assets that a control loads, and batches that number their assets anew."""
    fleet = Fleet()
    known = KnownSlots(fleet.load)
    assets = [f"a{i}" for i in range(10)]
    for what, numbers in steps:
        if what == "rows":
            before = known.of(assets, np.array(numbers)).tolist()
            slots = known.load(assets, np.array(numbers))
            assert slots.tolist() == [fleet.slots[assets[number]] for number in numbers]
            assert all(was in (now, UNKNOWN) for was, now in zip(before, slots.tolist(), strict=True))
        elif what == "renumber":
            assets = [assets[number] for number in numbers]
        elif what == "load":
            fleet.load([assets[numbers[0]]])
        elif (slot := fleet.slots.pop(assets[numbers[0]], None)) is not None:
            known.forget(slot)
