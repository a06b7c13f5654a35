"""Updates as a reader of the topic reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from stream_app.domain.metrics import REGISTRY
from stream_app.infra.history.columns import KEYS
from stream_app.wire import update as reading
from stream_app.wire.encode.updates import UpdateForm
from stream_app.wire.update import UnreadableUpdateError, UpdateHead, content, head, require_names
from tests.contract.test_update_schemas import BOTH, FLAT, NESTED, published

GOOD = {
    "asset_id": "a",
    "window": {"size": "15m", "start": "2026-03-01T00:00:00Z", "end": None},
    "seq": 7,
    "final": True,
    "metrics": {},
}


@pytest.mark.parametrize("form", [NESTED, FLAT, BOTH], ids=["nested", "flat", "both"])
def test_the_quick_way_reads_what_the_slow_one_reads(form: UpdateForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every update that the service writes goes the quick way."""
    updates = published(form)
    slow = [reading._slowly(each) for each in updates]
    monkeypatch.setattr(reading, "_slowly", None)
    assert [head(each) for each in updates] == slow


def test_another_order_of_members_is_read_too() -> None:
    """And ids with escapes."""
    update = {name: GOOD[name] for name in sorted(GOOD)} | {"asset_id": 'a"\\ü', "partition": 3}
    assert head(orjson.dumps(update)) == UpdateHead('a"\\ü', "15m", datetime(2026, 3, 1, tzinfo=UTC), 3, 7, final=True)


def test_the_flat_form_says_what_the_nested_one_says() -> None:
    """But for reasons; a metric that is null is absent."""
    for nested, flat in zip(published(NESTED), published(FLAT), strict=True):
        said, flatly = content(nested), content(flat)
        values = {name: value for name, value in zip(said.names, said.values, strict=True) if value is not None}
        assert dict(zip(flatly.names, flatly.values, strict=True)) == values
        assert any(said.reasons)
        assert not any(flatly.reasons)


@pytest.mark.parametrize(
    "changed",
    [
        {"asset_id": ""},
        {"asset_id": "a/b"},
        {"asset_id": "a" * 1000},
        {"window": {"size": "15x", "start": "2026-03-01T00:00:00Z"}},
        {"window": {"size": "15m", "start": "2026-03-01T00:00:00"}},
        {"window": {"size": "15m", "start": "yesterday"}},
        {"window": {"size": "15m", "start": "9999-12-31T23:00:00Z"}},
        {"seq": -1},
        {"seq": 1 << 63},
        {"seq": "7"},
        {"final": None},
    ],
)
def test_what_is_not_an_update_is_refused(changed: dict[str, object]) -> None:
    """In whichever way it is read."""
    for update in (GOOD | changed, dict(sorted((GOOD | changed).items(), reverse=True))):
        with pytest.raises(UnreadableUpdateError):
            head(orjson.dumps(update))


@pytest.mark.parametrize("values", [{"x.1": 1.0}, {"x.0": 1.0, "x.2": 2.0}, {"x": 1.0, "x.0": 1.0}, {"x": "1"}, None])
def test_wrong_values_are_refused(values: object) -> None:
    """A list with a hole, a text, nothing at all."""
    with pytest.raises(UnreadableUpdateError):
        content(orjson.dumps({"values": values}))


def test_names_of_metrics_can_be_columns() -> None:
    """Those of the catalogue can, and none has the name of another column; whatever needs quotation marks cannot."""
    require_names(tuple(REGISTRY))
    assert not set(REGISTRY) & set(KEYS)
    for name in ('x"; drop table windows; --', "X", "", "a" * 64, "x y"):
        with pytest.raises(UnreadableUpdateError):
            require_names((name,))
