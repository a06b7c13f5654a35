"""Updates as cells: the compiled walk reads what the parser reads, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Mapping

import orjson
import pytest

from stream_app.wire.encode.updates import UpdateForm
from stream_app.wire.update import UnreadableUpdateError, UpdateValues, Value, content, require_names
from stream_app.wire.update_cells import LIST, NOTHING, CellReader, UpdateCells, reasons_by_name
from tests.contract.test_update_schemas import BOTH, FLAT, NESTED, published

Said = tuple[Mapping[str, Value], dict[str, str]]


def said(read: UpdateValues) -> Said:
    """Values and reasons by name."""
    values = {name: value for name, value in zip(read.names, read.values, strict=True) if value is not None}
    return values, {name: reason for name, reason in zip(read.names, read.reasons, strict=True) if reason is not None}


def told(cells: UpdateCells) -> Said:
    """The same of cells, whose text is read as CSV with lists in quotes is."""
    values: dict[str, Value] = {}
    rest = cells.text
    for name, kind in zip(cells.form.names, cells.kinds, strict=True):
        text, _, rest = rest.partition(b'}"') if kind == LIST else rest.partition(b",")
        if kind == LIST:
            values[name] = orjson.loads(b"[" + text.removeprefix(b'"{') + b"]")
            rest = rest.removeprefix(b",")
        elif kind == NOTHING:
            assert text == b""
        else:
            values[name] = orjson.loads(text)
    assert rest == b""
    return values, reasons_by_name(cells)


@pytest.mark.parametrize("form", [NESTED, FLAT, BOTH], ids=["nested", "flat", "both"])
def test_every_number_and_reason_is_kept(form: UpdateForm) -> None:
    """Whatever the service writes; of the nested form all but the first go the quick way."""
    reader = CellReader()
    updates = published(form)
    cells = [reader.read(each) for each in updates]
    assert [told(each) for each in cells] == [said(content(each)) for each in updates]
    if form is not FLAT:
        assert len({each.form for each in cells}) == 1


def test_damaged_updates_are_judged_as_the_parser_judges_them() -> None:
    """Bytes are changed, lost or doubled anywhere; what the parser refuses is refused, what it reads is read alike."""
    chosen = random.Random(1)
    reader, updates = CellReader(), published(NESTED)
    refused = 0
    for each in updates:
        reader.read(each)
    for _ in range(3000):
        update = bytearray(chosen.choice(updates))
        at = chosen.randrange(update.index(b'"metrics"'), len(update))
        update[at : at + chosen.randrange(3)] = bytes(chosen.choices(b'",:{}[]0.e-1nax\\', k=chosen.randrange(3)))
        try:
            read = content(bytes(update))
            require_names(read.names)
        except UnreadableUpdateError:
            refused += 1
            with pytest.raises(UnreadableUpdateError):
                reader.read(bytes(update))
        else:
            assert told(reader.read(bytes(update))) == said(read)
    assert 1000 < refused < 2900


def test_another_release_adds_a_metric() -> None:
    """Updates of both releases come by turns: each has its order, which is learned once."""
    reader = CellReader()
    old = orjson.dumps(
        {"asset_id": "a", "metrics": {"x": {"value": 1, "unit": "1"}, "z": {"value": None, "reason": "r"}}}
    )
    new = old.replace(b'"z"', b'"y":{"value":[1,2.5],"unit":"1"},"z"')
    first = [reader.read(each).form for each in (old, new)]
    assert [reader.read(each).form for each in (new, old, new)] == [first[1], first[0], first[1]]
    assert reader.read(new) == (first[1], b'1,"{1,2.5}",', bytes([1, LIST, NOTHING]), b"\n\nr")
