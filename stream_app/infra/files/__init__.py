"""Files of measurements: CSV in the dialects that users have, and JSON lines."""

from stream_app.infra.files.block import Block
from stream_app.infra.files.rows import read_blocks

__all__ = ["Block", "read_blocks"]
