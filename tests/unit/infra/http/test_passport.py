"""The values for a battery's passport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.asset import AssetSpec
from schemas.lookup import AssetAnswer
from schemas.passport import Passport
from tests.unit.infra.http.test_problems import problem_of
from tests.unit.infra.http.test_routes import checked

if TYPE_CHECKING:
    from tests.unit.infra.http.conftest import OpenSite, Site

PATH = "/api/v1/assets/a/passport"


async def test_each_value_is_the_lifetime_s_with_when_it_was(site: Site) -> None:
    """A null has the metric's reason and no time."""
    site.tables.put("a", spec=AssetSpec(nominal_capacity_ah=94, nominal_energy_kwh=80))
    asset = checked(AssetAnswer, await site.client.get("/api/v1/assets/a"))
    passport = checked(Passport, await site.client.get(PATH))
    assert asset.lifetime is not None
    assert (passport.nominal_capacity_ah, passport.nominal_energy_kwh) == (94, 80)
    assert (passport.first_time, passport.meta) == (asset.first_time, asset.meta)
    by_name = {entry.name: entry for entry in passport.entries}
    assert len(by_name) == 17
    for entry in passport.entries:
        metric = asset.lifetime.metrics[entry.metric]
        assert (entry.unit, entry.sigma, entry.reason) == (metric.unit, metric.sigma, metric.reason), entry.name
        assert entry.updated == (None if metric.value is None else asset.last_time)
        if not entry.name.endswith(("_fade", "_events")):
            assert entry.value == metric.value
    assert by_name["energy_throughput"].value == asset.lifetime.metrics["energy_out_kwh"].value
    assert (by_name["remaining_capacity"].value, by_name["remaining_capacity"].reason) == (None, "too_few_spans")


async def test_events_are_those_of_the_limit(site: Site) -> None:
    """Of a limit that the spec states; one that it lacks has its reason, though the list beside it is known."""
    site.tables.put("a", spec=AssetSpec(soc_low_percent=50))
    passport = checked(Passport, await site.client.get(PATH))
    by_name = {entry.name: entry for entry in passport.entries}
    deep, over = by_name["deep_discharge_events"], by_name["overcharge_events"]
    assert (deep.value, deep.reason, deep.updated is None) == (0, None, False)
    assert (over.value, over.reason, over.updated) == (None, "limit_missing", None)


async def test_fade_is_what_is_missing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the capacity to the nominal one."""
    site.tables.put("a")
    answer = checked(AssetAnswer, await site.client.get("/api/v1/assets/a"))
    assert answer.lifetime is not None
    soh = answer.lifetime.metrics["soh_capacity"].model_copy(update={"value": 92.5, "sigma": 0.1, "reason": None})
    lifetime = answer.lifetime.model_copy(update={"metrics": answer.lifetime.metrics | {"soh_capacity": soh}})
    known = answer.model_copy(update={"lifetime": lifetime})
    monkeypatch.setattr(AssetAnswer, "model_validate_json", lambda _: known)
    passport = checked(Passport, await site.client.get(PATH))
    fade = next(entry for entry in passport.entries if entry.name == "capacity_fade")
    assert (fade.value, fade.sigma, fade.unit, fade.updated) == (7.5, 0.1, "%", answer.last_time)


async def test_another_worker_has_the_asset(open_site: OpenSite) -> None:
    """It is asked; and an asset that nobody has is 404."""
    here, there = open_site("here"), open_site("there")
    here.tables.owned, here.cluster.others, there.cluster.others = set(), [there.url], [here.url]
    here.cluster.owners = there.cluster.owners = dict.fromkeys(here.cluster.owners, there.url)
    there.tables.put("a")
    passport = checked(Passport, await here.client.get(PATH))
    assert passport.meta.owner == there.url
    problem_of(await here.client.get("/api/v1/assets/none/passport"), 404, "unknown_asset")
