"""The private members of Faust and aiokafka that ``engine`` and ``log`` rely on have not changed.

When one of these fails after an update: read what changed in the function, adapt the package, run the tests of this
folder, then put the new digest here.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka import client
from aiokafka.consumer import fetcher, group_coordinator
from aiokafka.producer import message_accumulator, sender
from faust.tables import base as tables
from faust.tables import recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from mode.utils import queues

from stream_app.infra.kafka import engine, log


def digest(function: Callable[..., Any]) -> str:
    """Hash of a function's source."""
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


RELIED_ON: dict[Callable[..., Any], str] = {
    fetcher.PartitionRecords.__init__: "8ec1c2ae6ea1af87",
    fetcher.PartitionRecords.__next__: "63ac34a08c309098",
    fetcher.PartitionRecords._unpack_records: "b803e6d46480732c",
    fetcher.FetchResult.getall: "3e717e30de5068d5",
    fetcher.FetchResult.check_assignment: "b5340df67e3f330f",
    fetcher.Fetcher._proc_fetch_request: "59bf948fff47eed5",
    fetcher.Fetcher.fetched_records: "be4348896b9b66af",
    group_coordinator.GroupCoordinator._do_heartbeat: "dc1d6632aaa68e96",
    group_coordinator.GroupCoordinator.reset_generation: "537aa37c531b4de9",
    group_coordinator.GroupCoordinator._heartbeat_routine: "61d01028952239d0",
    group_coordinator.GroupCoordinator._push_error_to_user: "743ff515bd7e2e38",
    group_coordinator.GroupCoordinator._coordination_routine: "75273e127d4a4f5d",
    group_coordinator.GroupCoordinator._GroupCoordinator__coordination_routine: "f814463c6b44a195",
    group_coordinator.GroupCoordinator._on_join_complete: "0b0b3d204b408f3c",
    client.AIOKafkaClient._metadata_update: "06dc51ed3e0d38b8",
    message_accumulator.MessageAccumulator._pop_batch: "41cc98a298ef2628",
    message_accumulator.MessageAccumulator.reenqueue: "f75f518a1ae27ade",
    message_accumulator.MessageAccumulator.fail_all: "f1e12e8100bfcb8c",
    sender.Sender.close: "f60b3d023d2526f4",
    client.AIOKafkaClient.send: "246b277687d7b687",
    client.AIOKafkaClient._get_conn: "68ce5d8391719d33",
    aiokafka.AIOKafkaProducer.stop: "43ef97147111893b",
    consumer.Consumer._drain_messages: "44a2500309e83c63",
    consumer.Consumer.getmany: "4b168d84882a70d6",
    consumer.Consumer._wait_next_records: "6218e1969a636b3f",
    consumer.ThreadDelegateConsumer._getmany: "f9d47aa9010b5ff2",
    driver.AIOKafkaConsumerThread._fetch_records: "39a2c6c79fc1455a",
    consumer.Consumer.perform_seek: "0e8c130ff4b0afd8",
    consumer.Consumer._new_offset: "1d2c7ea89a7ad4f1",
    consumer.Consumer._filter_tps_with_pending_acks: "f6f9239774234e7e",
    consumer.Consumer.on_partitions_revoked: "d04b7ae72c6fc206",
    driver.Consumer._new_consumer_thread: "0870ec53dea75083",
    driver.AIOKafkaConsumerThread.on_start: "38b4e8bd1e10723a",
    driver.AIOKafkaConsumerThread._seek_wait: "9d221e816d940467",
    driver.AIOKafkaConsumerThread._commit: "932852ce7a23f658",
    driver.ConsumerRebalanceListener.on_partitions_assigned: "1c1f8406ad3698a6",
    recovery.Recovery.on_recovery_completed: "6ef567acf072e46d",
    recovery.Recovery._add: "1584a197b11bf835",
    recovery.Recovery._build_offsets: "27eec86be06cb51f",
    recovery.Recovery._slurp_changelogs.fun: "7825c7e50f766d5a",
    queues.FlowControlEvent.resume: "4dcdc1253fd0dcb4",
    tables.Collection._new_store: "914a2bda605d38f5",
    faust.App._new_transport: "42db531312dd776f",
    faust.App._on_partitions_revoked: "d5c895bbe57dc73a",
    faust.App._on_partitions_assigned: "de932b7927db85b3",
}


def test_the_versions_are_those_that_the_packages_name() -> None:
    """An update begins with reading what the overrides rely on."""
    engine_says, log_says = engine.__doc__ or "", log.__doc__ or ""
    aiokafka_release = f"aiokafka {'.'.join(version('aiokafka').split('.')[:2])}"
    assert f"faust-streaming {version('faust-streaming')}\n" in engine_says
    assert f"{aiokafka_release}\n" in engine_says
    assert f"{aiokafka_release} " in log_says


@pytest.mark.parametrize(
    ("function", "known"),
    [pytest.param(function, known, id=function.__qualname__) for function, known in RELIED_ON.items()],
)
def test_a_function_that_is_relied_on_has_not_changed(function: Callable[..., Any], known: str) -> None:
    """The source of each function that is overridden, replaced or counted on is as it was read."""
    assert digest(function) == known, (
        f"{function.__module__}.{function.__qualname__} changed: see the top of this module"
    )
