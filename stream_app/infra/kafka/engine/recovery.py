"""A table as Faust sees it: Faust reads its changelog back after each rebalance, and never writes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import faust
from faust.stores.memory import Store
from faust.types import TP, EventT

from stream_app.infra.kafka.errors import ChangelogGapError, StateError
from stream_app.infra.kafka.tables import Table
from stream_app.wire.batch import Fetch


class RecoveredTable(faust.Table[bytes, bytes]):
    """A Faust table whose store recovers a :class:`Table`."""

    def __init__(self, app: faust.App, table: Table, fail: Callable[[Exception], None]) -> None:
        self.recovered, self.fail = table, fail
        changelog = app.topic(
            table.changelog, key_serializer="raw", value_serializer="raw", acks=False, allow_empty=True
        )
        super().__init__(
            app,
            name=table.name,
            changelog_topic=changelog,
            key_type=bytes,
            value_type=bytes,
            # One message is a whole fetch. (Exactly 1 would make Faust read the changelog on after the recovery.)
            recovery_buffer_size=2,
        )

    def _new_store(self) -> Store[bytes, bytes]:
        return RecoveringStore(self, self.recovered, self.fail)


class RecoveringStore(Store[bytes, bytes]):
    """Hands the events of a recovery on to the table."""

    def __init__(self, owner: RecoveredTable, recovered: Table, fail: Callable[[Exception], None]) -> None:
        super().__init__("memory://", owner.app, owner, loop=owner._loop)
        self._recovered, self._fail = recovered, fail

    def persisted_offset(self, tp: TP) -> int:
        """Last offset that the table holds; -1: none.

        Without it Faust keeps its own count, which survives a rebalance that it gave up half-way and the table's data
        does not: the recovery would begin in the middle.
        """
        return self._recovered.held_until(tp.partition) - 1

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Drop partitions that went away, and those that came."""
        changed = revoked | newly_assigned
        self._recovered.reassigned({tp.partition for tp in changed if tp.topic == self._recovered.changelog})

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Serve the recovered partitions."""
        self._recovered.serve({tp.partition for tp in active_tps})

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Recover from fetches of the changelog (each event is a whole one)."""
        for event in batch:
            if event.message.topic != self._recovered.changelog:
                continue  # Faust hands a late event of a revoked partition to the table that it happened to serve last
            try:
                self._recovered.recover(cast(Fetch, event.message.value))
            except (ChangelogGapError, StateError) as error:
                # Faust would log an exception raised here and go on with a gap in the state.
                self._fail(error)
                return
