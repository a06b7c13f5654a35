"""Files of measurements in the forms that users have."""

from stream_app.infra.files.block import Block
from stream_app.infra.files.measurement_file import MeasurementFile, read_blocks

__all__ = ["Block", "MeasurementFile", "read_blocks"]
