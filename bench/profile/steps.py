"""Which step of the worker's way a function belongs to: by its module, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

Frame = tuple[str, str]  # module, function
_Key = TypeVar("_Key")

#: Package or module -> step; the longest name that fits counts. None: what a caller uses it for says the step.
#: Modules that are not here (numpy, orjson, stream_app.columns) are such, too.
STEPS: Final[dict[str, str | None]] = {
    "aiokafka": "Kafka connections",
    "aiokafka.codec": None,
    "aiokafka.consumer": "fetch",
    "aiokafka.producer": "send",
    "aiokafka.record": None,
    "aiokafka.util": None,
    "asyncio": "event loop",
    "fastapi": "HTTP",
    "faust": "Faust",
    "mode": "Faust",
    "prometheus_client": "logs and counters",
    "selectors": "event loop",
    "starlette": "HTTP",
    "stream_app.domain": "domain",
    "stream_app.domain.metrics": "domain: metrics",
    "stream_app.infra.history": "HTTP",
    "stream_app.infra.http": "HTTP",
    "stream_app.infra.kafka": "Kafka engine",
    "stream_app.infra.kafka.checkpoint_sink": "send",
    "stream_app.infra.kafka.log": "fetch",
    "stream_app.infra.kafka.log.batch_producer": "send",
    "stream_app.infra.report": "HTTP",
    "stream_app.infra.telemetry": "logs and counters",
    "stream_app.usecases": "use cases",
    "stream_app.usecases.checkpoints": "collect checkpoints",
    "stream_app.usecases.ingest": "apply rows",
    "stream_app.wire.decode": "decode",
    "stream_app.wire.encode": "encode",
    "structlog": "logs and counters",
    "uvicorn": "HTTP",
}
OTHER_STEP: Final = "other"


def step_of(stack: Iterable[Frame]) -> str:
    """Step of a stack, innermost frame first: that of the first frame whose module has one."""
    for module, _ in stack:
        step = _step_of_module(module)
        if step is not None:
            return step
    return OTHER_STEP


def _step_of_module(module: str) -> str | None:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in STEPS:
            return STEPS[name]
    return None


@dataclass
class Profile:
    """CPU seconds by step, and by the innermost function within each."""

    steps: dict[str, float] = field(default_factory=dict)
    functions: dict[tuple[str, str], float] = field(default_factory=dict)  # by step and module:function

    def add(self, stack: Sequence[Frame], cpu_s: float) -> None:
        """Enter a sample of a thread that runs Python."""
        step = step_of(stack)
        self.add_step(step, cpu_s)
        function = step, ":".join(stack[0])
        self.functions[function] = self.functions.get(function, 0.0) + cpu_s

    def add_step(self, step: str, cpu_s: float) -> None:
        """Enter CPU time of a step."""
        self.steps[step] = self.steps.get(step, 0.0) + cpu_s


def longest(seconds: Mapping[_Key, float]) -> list[tuple[_Key, float]]:
    """Entries, the longest first."""
    return sorted(seconds.items(), key=lambda entry: -entry[1])
