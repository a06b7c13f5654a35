"""Sends the rows of a file to the measurements topic, at a rate if one is given, and shows how far it is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from rich.progress import Progress, TaskID

from stream_app.errors import ExpectedError
from stream_app.infra.files import MeasurementFile
from stream_app.infra.kafka.log import topics
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.infra.row_messages import Form, encode
from stream_app.settings import KafkaSettings
from stream_app.usecases.ports import RowMessage

#: At a given rate, rows are sent in portions of this time.
_PORTION_S: Final = 0.25


class FileSender:
    """Sends files to the measurements topic.

    Parameters
    ----------
    kafka
        Broker and topics.
    progress, task
        Where to show how many rows were sent, and how much of the file.
    """

    def __init__(self, kafka: KafkaSettings, progress: Progress, task: TaskID) -> None:
        self._kafka = kafka
        self._progress, self._task = progress, task
        self.rows = 0  # sent so far

    async def send(
        self, file: MeasurementFile, asset: str | None, form: Form, rate: float | None, *, from_row: int = 1
    ) -> None:
        """Send a checked file; ``rate`` is in rows per second, and ``from_row`` the first row that is sent.

        Raises
        ------
        ExpectedError
            The topic is missing or not as it must be, or no broker answers.
        InvalidError
            Nobody names the asset of the rows; nothing was sent.
        """
        name = self._kafka.measurements_topic
        if problems := [line for line in await topics.check(self._kafka) if line.startswith(f"topic {name!r} ")]:
            raise ExpectedError("; ".join(problems))
        measurements = MeasurementTopic(self._kafka)
        await measurements.start()
        try:
            blocks = file.blocks()
            before = from_row - 1
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                skipped = min(before, len(block))
                before -= skipped
                if skipped:
                    block = block.take(np.arange(skipped, len(block)))
                for asset_id, messages in itertools.groupby(encode(block, asset, form), key=lambda pair: pair[0]):
                    await self._append(measurements, asset_id, [message for _, message in messages], rate)
        finally:
            await measurements.stop()

    async def _append(
        self, measurements: MeasurementTopic, asset_id: str, messages: Sequence[RowMessage], rate: float | None
    ) -> None:
        key = asset_id.encode()
        portion = len(messages) if rate is None else max(1, int(rate * _PORTION_S / messages[0].rows))
        for start in range(0, len(messages), portion):
            some = messages[start : start + portion]
            began = asyncio.get_running_loop().time()
            await measurements.append(key, [message.value for message in some])
            rows = sum(message.rows for message in some)
            self.rows += rows
            self._progress.update(self._task, rows=self.rows, completed=self.rows)
            if rate is not None:
                await asyncio.sleep(max(0.0, began + rows / rate - asyncio.get_running_loop().time()))
