"""A reader of simple files, in place of the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from schemas.asset import AssetSpec
from schemas.diagnosis import Diagnosis
from schemas.file import FileSpec
from stream_app.infra.row_messages import RowMessages
from stream_app.usecases.errors import InvalidError
from stream_app.usecases.ports import PostedKind, RowMessage


class FakeFile:
    def __init__(self, file: BinaryIO, spec: FileSpec) -> None:
        self._file, self.rows = file, 0
        self.assets: list[str] = []
        self.told = [] if spec.timezone is None else [f"stamps are of {spec.timezone}"]

    def messages(self, asset_ids: Sequence[str]) -> Iterator[tuple[str, RowMessage]]:
        self._file.seek(0)
        (asset_id,) = asset_ids
        waiting: list[str] = []
        for number, line in enumerate(self._file, start=1):
            if b"bad" in line:
                raise InvalidError("bad_row", f"row {number}, column voltage: no number", number, "voltage")
            waiting.append(line.decode().strip())
            if len(waiting) == 2:
                yield asset_id, RowMessage(2, f"{asset_id}:{'|'.join(waiting)}".encode())
                waiting = []
        if waiting:
            yield asset_id, RowMessage(1, f"{asset_id}:{waiting[0]}".encode())


class FakeRows:
    """A file or body is lines ``asset_id,voltage``; a message holds two rows."""

    def check(self, file: BinaryIO, spec: FileSpec) -> FakeFile:
        checked = FakeFile(file, spec)
        checked.rows = sum(message.rows for _, message in checked.messages([""]))
        return checked

    def diagnose(self, file: BinaryIO, spec: FileSpec, name: str) -> Diagnosis:
        return RowMessages().diagnose(file, spec, name)

    def posted(
        self, body: bytes, kind: PostedKind, asset_id: str | None, spec_of: Callable[[str], AssetSpec]
    ) -> Mapping[str, Sequence[RowMessage]]:
        messages: dict[str, list[RowMessage]] = {}
        for index, line in enumerate(body.splitlines()):
            name, value = line.decode().split(",")
            if value == "bad":
                errors = ((index, "voltage", "no number"),)
                raise InvalidError("bad_row", f"row {index}, column voltage: no number", index, "voltage", errors)
            messages.setdefault(name, []).append(RowMessage(1, line))
        return messages
