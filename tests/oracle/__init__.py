"""The result that the processor must reach, computed by loops over rows. It shares no code with ``stream_app``.

It is slow and obvious on purpose. The plain function of a metric stands in the metric's own test file; here is what
they share: rows with their durations, and the closed loops of the state of charge.
"""

from tests.oracle.rows import Nameplate, Part, Row, known, total
from tests.oracle.truth import Expected, expected, plain_values

__all__ = ["Expected", "Nameplate", "Part", "Row", "expected", "known", "plain_values", "total"]
