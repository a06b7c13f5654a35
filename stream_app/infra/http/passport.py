"""What an asset's rows say for its battery's passport, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from schemas.lookup import AssetAnswer
from schemas.metrics import MetricValue
from schemas.passport import Passport, PassportEntry
from stream_app.domain.limit_events import LISTED
from stream_app.infra.http import answers
from stream_app.infra.http.deps import AssetPath, ReadyRoute, ServicesDep
from stream_app.infra.http.problems import describe

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], route_class=ReadyRoute, responses=describe(404, 422, 503))


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a value of the passport comes from; of a fade, what is missing to 100 %; of events those of one limit."""

    name: str
    annex: str
    clause: str
    metric: str
    is_fade: bool = False
    limit: str | None = None


#: Annex VII of regulation (EU) 2023/1542 with the clauses of DIN DKE SPEC 99100, as BatteryPassDataModel maps them.
_LINES: Final = (
    _Line("remaining_capacity", "VII A", "6.7.2.3", "capacity_est"),
    _Line("capacity_fade", "VII A", "6.7.2.4", "soh_capacity", is_fade=True),
    _Line("remaining_energy", "VII A", "6.7.2", "remaining_energy_kwh"),
    _Line("round_trip_efficiency", "VII A", "6.7.4.2", "rte_level"),
    _Line("self_discharge", "VII A", "6.7.4.7", "self_discharge"),
    _Line("ohmic_resistance", "VII A", "6.7.5", "r_step"),
    _Line("full_cycles", "VII B", "6.7.6.4", "equivalent_full_cycles"),
    _Line("energy_throughput", "VII B", "6.7.6.7", "energy_out_kwh"),
    _Line("capacity_throughput", "VII B", "6.7.6.8", "charge_out_ah"),
    _Line("time_above_temperature", "VII B", "6.7.7.5 to 6.7.7.8", "time_hot_s"),
    _Line("time_below_temperature", "VII B", "6.7.7.5 to 6.7.7.8", "time_cold_s"),
    _Line("time_above_temperature_charging", "VII B", "6.7.7.5 to 6.7.7.8", "time_hot_charging_s"),
    _Line("time_below_temperature_charging", "VII B", "6.7.7.5 to 6.7.7.8", "time_cold_charging_s"),
    _Line("time_deeply_discharged", "VII B", "6.7.8.2", "time_soc_low_s"),
    _Line("time_overcharged", "VII B", "6.7.8.3", "time_soc_high_s"),
    _Line("deep_discharge_events", "VII B", "6.7.8.2", "limit_event_count", limit="soc_low_percent"),
    _Line("overcharge_events", "VII B", "6.7.8.3", "limit_event_count", limit="soc_high_percent"),
)


@router.get("/{asset_id}/passport", response_model=Passport)
async def get_passport(asset_id: AssetPath, services: ServicesDep) -> Response:
    """Return the values that a battery's passport has to keep up to date, each with when it was.

    They are those of the lifetime, from the oldest row on: of a battery that was in use before, `first_time` says since
    when they count. Times beyond limits are by the limits of the spec.
    """
    asset = answers.asset_of(await services.queries.asset(asset_id))
    if isinstance(asset, Response):
        return asset
    metrics = {} if asset.lifetime is None else asset.lifetime.metrics
    passport = Passport(
        asset_id=asset.asset_id,
        nominal_capacity_ah=asset.spec.nominal_capacity_ah,
        nominal_energy_kwh=asset.spec.nominal_energy_kwh,
        first_time=asset.first_time,
        entries=[_entry(line, metrics[line.metric], asset) for line in _LINES if line.metric in metrics],
        meta=asset.meta,
    )
    return answers.json(passport.model_dump())


def _entry(line: _Line, of: MetricValue, asset: AssetAnswer) -> PassportEntry:
    value, reason = of.value, of.reason
    if line.limit is not None and isinstance(value, list):
        if getattr(asset.spec, line.limit) is None:
            value, reason = None, "limit_missing"
        else:
            value = value[LISTED.index(line.limit)]
    if line.is_fade and isinstance(value, float | int):
        value = 100 - value
    known = value if isinstance(value, float | int) else None
    return PassportEntry(
        name=line.name,
        annex=line.annex,
        clause=line.clause,
        metric=line.metric,
        value=known,
        unit=of.unit,
        sigma=of.sigma,
        reason=reason,
        updated=None if known is None else asset.last_time,
    )
