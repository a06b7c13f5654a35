"""The shipped rules and dashboard on a real worker, a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream_app.history_settings import HistorySettings
from stream_app.infra.kafka.log import topics
from stream_app.settings import KafkaSettings
from tests.e2e.workers import WorkerProcess, until
from tests.integration.history.test_process import environment_of
from tests.integration.monitoring.conftest import require_prometheus
from tests.integration.monitoring.stack import SHIPPED, Stack, rules, shortened, value_of
from tests.kafka import Broker
from tests.postgres import PostgresProcess, require_postgres
from tools import grafana_dashboard

pytestmark = pytest.mark.kafka

ROWS_PER_S = 20
#: Each checkpoint takes so much longer: rows that keep coming are behind all the time.
SLOW = {"STREAM_FAILPOINT": "after_output_flush:1+:sleep=3"}


def test_the_rules_hold_at_their_thresholds() -> None:
    """The tests of the rules that are shipped with them, and the syntax of all files."""
    require_prometheus()
    for command in (
        "promtool check config prometheus.yml",
        "promtool test rules alerts_test.yml",
        "amtool check-config alertmanager.yml",
    ):
        done = subprocess.run(command.split(), cwd=SHIPPED, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


class Feed:
    """Rows to the measurements topic, some each second, until it is closed; the kind may be changed meanwhile."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._end = threading.Event()
        self._row: Callable[[int], bytes] = good
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)
        self._thread.start()

    def send(self, row: Callable[[int], bytes]) -> None:
        """Send such rows from now on."""
        self._row = row

    def close(self) -> None:
        """Stop."""
        self._end.set()
        self._thread.join()

    async def _send(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka.bootstrap_servers)
        await producer.start()
        number = 0
        while not self._end.is_set():
            key = b"bess-%d" % (number % 8)
            await producer.send(self._kafka.measurements_topic, self._row(number), key=key)
            number += 1
            await asyncio.sleep(1 / ROWS_PER_S)
        await producer.stop()


def good(number: int) -> bytes:
    """A row that is applied."""
    return json.dumps(
        {"asset_id": f"bess-{number % 8}", "timestamp": 1_772_323_200_000 + number * 100, "current": 1.0}
        | {"voltage": 800.0, "soc": 50.0}
    ).encode()


def poison(number: int) -> bytes:
    """A message that nobody can read."""
    return b"{not json"


@contextmanager
def feeding(kafka: KafkaSettings) -> Iterator[Feed]:
    feed = Feed(kafka)
    try:
        yield feed
    finally:
        feed.close()


@pytest.fixture
def monitored(
    real_broker: Broker, kafka_settings: KafkaSettings, stack: Stack, tmp_path: Path
) -> Iterator[WorkerProcess]:
    """A worker that Prometheus scrapes, not started yet."""
    asyncio.run(topics.ensure(kafka_settings))
    worker = WorkerProcess(kafka_settings, tmp_path, int(stack.target.rpartition(":")[2]))
    yield worker
    if worker.is_alive():
        worker.kill()


@pytest.fixture
def database(kafka_settings: KafkaSettings, stack: Stack, tmp_path: Path) -> Iterator[PostgresProcess]:
    """The database of a history process, which Prometheus scrapes too."""
    require_postgres()
    postgres = PostgresProcess()
    postgres.start()
    port = int(stack.history_target.rpartition(":")[2])
    environment = environment_of(kafka_settings, HistorySettings(url=postgres.url), port)
    with (tmp_path / "history.log").open("wb") as log:
        command = [sys.executable, "-m", "stream_app", "history"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    yield postgres
    ended = process.poll()
    process.kill()
    process.wait()
    postgres.remove()
    assert ended is None, (tmp_path / "history.log").read_text()[-2000:]


def test_alerts_fire_and_resolve(
    monitored: WorkerProcess, database: PostgresProcess, kafka_settings: KafkaSettings, stack: Stack
) -> None:
    """Each for its cause, through Alertmanager to a webhook; and no query of rules and dashboard comes to nothing."""
    worker, kafka = monitored, kafka_settings
    stack.wait_for("StreamAppNoWorker", "firing")
    worker.start().ready()
    for status in ("firing", "resolved"):
        stack.wait_for("StreamAppWorkerDown", status)
    stack.wait_for("StreamAppNoWorker", "resolved")
    figures_are_as_documented(worker, kafka)
    with feeding(kafka) as feed:
        for path in ("/api/v1/assets", "/api/v1/catalogue"):
            worker.get(path)
        all_have_values(stack)
        database.stop()
        stack.wait_for("StreamAppHistoryWaits", "firing")
        database.start()
        stack.wait_for("StreamAppHistoryWaits", "resolved")
        assert "bess-" not in worker.text("/metrics")  # a fleet would make as many series as it has assets

        feed.send(poison)
        stack.wait_for("StreamAppPoisonRows", "firing", code="bad_json")
        stack.wait_for("StreamAppRefusedShare", "firing")
        feed.send(good)
        stack.wait_for("StreamAppPoisonRows", "resolved", code="bad_json")
        stack.wait_for("StreamAppRefusedShare", "resolved")
        assert not stack.has_told("StreamAppLag", "firing")

        stack.told.clear()
        assert worker.terminate() == 0
        stack.wait_for("StreamAppWorkerDown", "firing")
        ends = asyncio.run(cut(kafka))
        worker.start(**SLOW).ready()
        stack.wait_for("StreamAppWorkerDown", "resolved")
        stack.wait_for("StreamAppRowsSkipped", "firing")
        stack.wait_for("StreamAppLag", "firing")
        stack.wait_for("StreamAppRowsSkipped", "resolved")
    stack.wait_for("StreamAppLag", "resolved")
    skipped = stack.query(f'sum(stream_skipped_messages_total{{topic="{kafka.measurements_topic}"}})')
    assert 0 < float(skipped[0]["value"][1]) <= ends
    assert not any(name in {"StreamAppUnexpectedError", "StreamAppCheckpointsFail"} for name, _, _ in stack.told)


def figures_are_as_documented(worker: WorkerProcess, kafka: KafkaSettings) -> None:
    """By name; counters of errors are there at 0, and promtool has nothing to object to."""
    until(lambda: 'partition="3"' in worker.text("/metrics"), "all partitions are recovered")
    text = worker.text("/metrics")
    page = (SHIPPED.parents[1] / "docs" / "monitoring.md").read_text("utf-8")
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE stream_")}
    names = {name for name in names if not name.endswith("_created")}
    assert [name for name in sorted(names) if f"`{name}" not in page] == []
    for number in range(kafka.partitions):
        topic = kafka.measurements_topic
        assert f'stream_skipped_messages_total{{partition="{number}",topic="{topic}"}} 0.0' in text
    for line in (
        'stream_dead_letters_total{code="bad_json"} 0.0',
        'stream_rejected_rows_total{code="late"} 0.0',
        'stream_rows_total{result="rejected"} 0.0',
        "stream_checkpoint_failures_total 0.0",
        "stream_batch_failures_total 0.0",
        'stream_http_requests_total{method="GET",path="/api/v1/assets",status="5xx"} 0.0',
    ):
        assert line in text.splitlines()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, check=False, capture_output=True, text=True)
    assert checked.returncode in {0, 3}, checked.stderr  # 3: lint
    assert [line for line in checked.stderr.splitlines() if line.startswith("stream_")] == []


async def cut(kafka: KafkaSettings) -> int:
    """Delete all rows of the measurements topic, as retention would; the sum of the offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    places = [TopicPartition(kafka.measurements_topic, number) for number in range(kafka.partitions)]
    try:
        deleted = await admin.delete_records({place: RecordsToDelete(-1) for place in places})
    finally:
        await admin.close()
    return sum(deleted.values())


def all_have_values(stack: Stack) -> None:
    """Every expression of the rules and of the dashboard has a value, once rows have come for a while."""
    until(lambda: stack.query("stream:rows:rate5m > 0"), "rows come")
    left = {shortened(value_of(rule["expr"]) if "alert" in rule else rule["expr"]) for rule in rules()}
    for panel in grafana_dashboard.dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"].replace("$job", "stream-app").replace("$instance", ".*")
            left.add(shortened(expr.replace("$__rate_interval", "5m")))
    # `absent` is empty while the worker is there: the alert that it belongs to is seen to fire.
    left = {expr for expr in left if not expr.startswith("absent(")}
    assert len(left) > 40

    def with_values() -> bool:
        for expr in list(left):
            found = stack.query(expr)
            if found and not all(math.isnan(float(each["value"][1])) for each in found):
                left.discard(expr)
        return not left

    until(with_values, f"these have values: {left}", 60)


def test_alerts_name_their_cure() -> None:
    """Each has a section of docs/monitoring.md."""
    page = (SHIPPED.parents[1] / "docs" / "monitoring.md").read_text("utf-8")
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for rule in alerts:
        assert f"### {rule['alert']}\n" in page
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"


def test_dashboard_is_current() -> None:
    """The file is what the tool writes; queries name the variables, panels do not lie on each other."""
    assert grafana_dashboard.FILE.read_text("utf-8") == grafana_dashboard.render()
    board = json.loads(grafana_dashboard.render())
    assert (board["uid"], board["schemaVersion"]) == ("stream-app", 39)
    assert "id" not in board
    variables = {each["name"] for each in board["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own
