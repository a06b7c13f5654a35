"""Every update that the service writes is valid by the exported schema of its form."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from jsonschema import Draft202012Validator

from schemas.export import avro_path, path
from schemas.metrics import FlatUpdate, MetricsUpdate
from stream_app.wire.encode.updates import UpdateForm
from tests.unit.usecases.site import Site, a_row

NESTED, FLAT, BOTH = UpdateForm(), UpdateForm(has_metrics=False, has_values=True), UpdateForm(has_values=True)


def published(form: UpdateForm) -> list[bytes]:
    """Updates of two assets: one with a spec, closed windows and loops, one without any reading, then its end."""
    site = Site(update_form=form)
    site.add("a", {"control": "asset_spec", "spec": {"nominal_capacity_ah": 0.5}})
    site.add("a", *(a_row(i, soc=50 + abs(i % 80 - 40), current=10 if i % 80 >= 40 else -10) for i in range(400)))
    site.add("b", {"timestamp": a_row(0)["timestamp"], "current": None, "voltage": None, "soc": None})
    site.ingest.apply(site.fetch())
    values = [update.value for update in site.written().updates]
    site.add("b", {"control": "end_of_upload", "rows": 1})
    site.ingest.apply(site.fetch(len(site.log) - 1))
    return [*values, *(update.value for update in site.written().updates)]


@pytest.mark.parametrize(
    ("form", "name"),
    [(NESTED, "metrics_update"), (BOTH, "metrics_update"), (FLAT, "flat_update"), (BOTH, "flat_update")],
)
def test_every_update_is_valid(form: UpdateForm, name: str) -> None:
    """Final or open, lifetime or window, with every metric or with hardly any; an update with both is valid by both."""
    validator = Draft202012Validator(json.loads(path(name).read_text("utf-8")))
    updates = [json.loads(value) for value in published(form)]
    assert {update["final"] for update in updates} == {True, False}
    assert {update["asset_id"] for update in updates} == {"a", "b"}
    assert [error.message for update in updates for error in validator.iter_errors(update)] == []


def test_the_schema_of_the_flat_form_refuses_what_typed_readers_cannot_take() -> None:
    """A null, a list or an object among the values."""
    validator = Draft202012Validator(json.loads(path("flat_update").read_text("utf-8")))
    update = json.loads(published(FLAT)[0])
    for value in (None, [1.0], {"value": 1.0}, "1"):
        assert not validator.is_valid(update | {"values": {"soc_dwell_s": value}})


def test_every_flat_update_survives_avro() -> None:
    """Written and read with the exported schema it has the same content."""
    schema = fastavro.parse_schema(json.loads(avro_path("flat_update").read_text("utf-8")))
    for value in published(FLAT):
        update = json.loads(value)
        file = io.BytesIO()
        fastavro.schemaless_writer(file, schema, update, strict=True)
        file.seek(0)
        assert fastavro.schemaless_reader(file, schema, None) == update


def test_the_flat_form_has_the_defined_values_of_the_nested_one() -> None:
    """By name; a list by its numbers; what is null is absent."""
    for value in published(BOTH):
        metrics, values = MetricsUpdate.model_validate_json(value).metrics, FlatUpdate.model_validate_json(value).values
        expected: dict[str, Any] = {}
        for name, metric in metrics.items():
            if isinstance(metric.value, list):
                expected |= {f"{name}.{k}": number for k, number in enumerate(metric.value)}
            elif metric.value is not None:
                expected[name] = metric.value
        assert values == expected
