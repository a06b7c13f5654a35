"""Metrics of a file without a broker."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from schemas.asset import AssetSpec
from schemas.metrics import MetricsUpdate, MetricValue
from stream_app.infra.files import read_blocks
from stream_app.infra.row_messages import encode
from stream_app.usecases.compute import Computed, ComputedUpdate, compute
from stream_app.usecases.errors import InvalidError

HEADER = "timestamp,current,voltage,soc\n"
SPEC = AssetSpec(nominal_capacity_ah=94.0, windows=("1h", "1d"))


def of_file(text: str, asset_id: str | None = "file", spec: AssetSpec = SPEC) -> Computed:
    messages = (pair for block in read_blocks(io.BytesIO(text.encode())) for pair in encode(block, asset_id, "arrow"))
    return compute(messages, spec, window_sizes_s=(60, 900))


def a_table(rows: int) -> str:
    """Rows a second apart: charging and discharging by turns."""
    lines = []
    for i in range(rows):
        charging = i // 600 % 2 == 0
        current, soc = (40 if charging else -38), 50 + (i % 600 if charging else 600 - i % 600) / 100
        lines.append(f"2022-04-13T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z,{current},{800 + soc},{soc}")
    return HEADER + "\n".join(lines) + "\n"


def metrics(update: ComputedUpdate) -> dict[str, MetricValue]:
    return MetricsUpdate.model_validate_json(update.json).metrics


def value(update: ComputedUpdate, name: str) -> object:
    return metrics(update)[name].value


def test_file_gives_its_lifetime_and_windows() -> None:
    """Lifetime first, then windows by size and start; all are final, and all rows count."""
    computed = of_file(a_table(7201))
    assert (computed.rows, computed.rejected_rows, computed.reason) == (7201, 0, None)
    windows = [(update.window.size, update.window.start[11:16]) for update in computed.updates]
    assert windows == [("lifetime", "00:00"), ("1h", "00:00"), ("1h", "01:00"), ("1h", "02:00"), ("1d", "00:00")]
    assert all(MetricsUpdate.model_validate_json(update.json).final for update in computed.updates)
    counts = [value(update, "total_data_points") for update in computed.updates]
    assert counts == [7201, 3600, 3600, 1, 7201]


def test_v1_metrics_equal_the_pandas_computation() -> None:
    """The lifetime's API v1 metrics are those of the formulas, computed by pandas over the whole file."""
    text = a_table(5000)
    frame = pd.read_csv(io.StringIO(text))
    charged, discharged = frame[frame.current > 0], frame[frame.current < 0]
    out, into = (discharged.current.abs() * discharged.voltage).sum(), (charged.current * charged.voltage).sum()
    rte = charged.soc.diff().abs().sum() / discharged.soc.diff().abs().sum() * out / into
    c_rate = 100 / frame.soc.diff().abs().sum() * frame.current.abs().sum() / (94.0 * 3600)
    lifetime = of_file(text).updates[0]
    assert value(lifetime, "rte_v1") == pytest.approx(rte, rel=1e-12)
    assert value(lifetime, "c_rate_v1") == pytest.approx(c_rate, rel=1e-12)


def test_files_of_several_assets() -> None:
    """Without a given asset, a file's asset column tells them apart."""
    plain = a_table(1200).splitlines()[1:]
    mixed = "".join(f"{name},{line}\n" for line in plain for name in ("b", "a"))
    computed = of_file(f"asset_id,{HEADER}{mixed}", asset_id=None)
    lifetimes = [update for update in computed.updates if update.window.size == "lifetime"]
    assert [update.asset_id for update in lifetimes] == ["a", "b"]
    (alone,) = [update for update in of_file(a_table(1200)).updates if update.window.size == "lifetime"]
    assert all(metrics(update) == metrics(alone) for update in lifetimes)


def test_windows_of_the_spec_or_the_default() -> None:
    """A spec without windows takes the given sizes."""
    spec = AssetSpec(nominal_capacity_ah=94.0)
    sizes = {update.window.size for update in of_file(a_table(1200), spec=spec).updates}
    assert sizes == {"lifetime", "1m", "15m"}


def test_the_order_of_rows_in_a_file_does_not_matter() -> None:
    """A file is finite: its rows are sorted, and those with the same stamp keep their order."""
    header, *rows = a_table(3000).splitlines(keepends=True)
    ordered = metrics(of_file(header + "".join(rows)).updates[0])
    for mixed in (rows[::-1], rows[1500:] + rows[:1500], rows[::2] + rows[1::2]):
        computed = of_file(header + "".join(mixed))
        assert computed.rejected_rows == 0
        assert metrics(computed.updates[0]) == ordered


def test_messages_out_of_order_are_left_out_and_told() -> None:
    """A row before the ones applied is not counted; the answer says so."""
    early = HEADER + "2022-04-12T00:00:00Z,1,800,50\n"
    blocks = [block for text in (a_table(100), early) for block in read_blocks(io.BytesIO(text.encode()))]
    messages = [pair for block in blocks for pair in encode(block, "file", "arrow")]
    computed = compute(messages, SPEC, window_sizes_s=(60, 900))
    assert value(computed.updates[0], "total_data_points") == 100
    assert computed.rejected_rows == 1
    assert "time order" in str(computed.reason)


def test_no_messages() -> None:
    """Nothing gives nothing."""
    assert compute([], SPEC, window_sizes_s=(60,)) == Computed([], 0, 0, None)


def test_bad_files_are_refused() -> None:
    """The reader's refusal reaches the caller as it is."""
    with pytest.raises(InvalidError, match="column voltage"):
        of_file(HEADER + "2022-04-13T00:00:00Z,1,x,50\n")
