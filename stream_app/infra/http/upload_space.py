"""Room for files while they are uploaded and read: all of a worker's together are bounded."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Final, cast

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from stream_app.errors import ExpectedError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_RETRY_S: Final = 30


class UploadSpace:
    """Room in the folder of temporary files.

    Parameters
    ----------
    quota_bytes
        Of all files together.
    """

    def __init__(self, quota_bytes: int) -> None:
        self.quota_bytes, self.used_bytes = quota_bytes, 0

    def room(self) -> Room:
        """Room for the files of a request; none is taken yet."""
        return Room(self)


class Room:
    """What the files of one request take."""

    def __init__(self, space: UploadSpace) -> None:
        self._space = space
        self._bytes = 0
        self._is_kept = False

    def take(self, size: int) -> None:
        """Take more room, before it is written; HTTPException 507 when there is none."""
        if self._space.used_bytes + size > self._space.quota_bytes:
            raise no_space(f"the files that are being read take {self._space.used_bytes} bytes")
        self._space.used_bytes += size
        self._bytes += size

    def kept(self, data: UploadFile) -> tuple[BinaryIO, int]:
        """The file, which keeps the room until it is closed, and its size; that of the framework is closed."""
        try:
            data.file.seek(0)
            copy = os.dup(data.file.fileno())
            data.file.close()
        except OSError as error:
            raise told(error) from None
        self._is_kept = True
        file = _KeptFile(self, copy)
        return cast("BinaryIO", io.BufferedReader(file)), os.fstat(copy).st_size

    def leave(self) -> None:
        """Give the room back when the request is over, unless a file keeps it."""
        if not self._is_kept:
            self.free()

    def free(self) -> None:
        """Give the room back."""
        self._space.used_bytes -= self._bytes
        self._bytes = 0


class _KeptFile(io.FileIO):
    def __init__(self, room: Room, descriptor: int) -> None:
        super().__init__(descriptor, "rb")
        self._room = room

    def close(self) -> None:
        super().close()
        self._room.free()


def told(error: OSError) -> Exception:
    """Return the error to raise: a disk that is full is told with its cure."""
    return no_space("the disk is full") if error.errno in _FULL else error


def no_space(what: str) -> HTTPException:
    """A refusal for lack of room."""
    detail = f"there is no room for the file ({what}): send it later or to another worker, or raise the quota"
    return HTTPException(507, detail, headers={"Retry-After": str(_RETRY_S), "Connection": "close"})


def use_folder(folder: Path) -> None:
    """Have the temporary files of this process in a folder, which is made if it is not there.

    Raises
    ------
    ExpectedError
        Nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"cannot be written ({error.strerror}): give the worker a folder of its own"
        msg = f"STREAM_HTTP__UPLOAD_DIR={folder} {reason}"
        raise ExpectedError(msg) from None
    tempfile.tempdir = str(folder)
