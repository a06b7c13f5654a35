"""The upload path, step by step in CPU time: a CSV from the socket to the topic.

``python -m bench.upload``. Receiving is measured at a worker that is idle otherwise; the other steps are run one by one
in this process, by the code that a worker runs, since in a worker they go on side by side. Then the worker's own upload
is waited for and its rows are counted. With ``--load`` other rows come meanwhile and their assets are looked up.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from bench import topics
from bench.broker import own_broker
from bench.scale.feed import feeding
from bench.scale.lookups import open_loop
from bench.scale.numbers import Summary
from bench.scale.testbed import QUICK, Testbed
from bench.scale.worker_process import WorkerProcess, working
from bench.workload import ASSETS, Rows
from schemas.file import FileSpec
from stream_app.infra.kafka.log.measurements import MeasurementTopic
from stream_app.infra.row_messages import RowMessages
from stream_app.settings import KafkaSettings
from stream_app.usecases.uploads import next_chunk

_PORT: Final = 26_400
_BLOCK_ROWS: Final = 20_000
_SETTLE_S: Final = 15.0
#: So often assets are looked up beside an upload, in spans of so many seconds.
_LOOKUPS_PER_S: Final = 10.0
_LOOKUPS_S: Final = 5.0
_PIECE_BYTES: Final = 256 << 10
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_BOUNDARY: Final = "bench"
_FIELD: Final = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
_HEAD: Final = (
    f'{_FIELD}"nominal_capacity"\r\n\r\n94\r\n{_FIELD}"data"; filename="big.csv"\r\nContent-Type: text/csv\r\n\r\n'
).encode()
_TAIL: Final = f"\r\n--{_BOUNDARY}--\r\n".encode()


def _write_file(path: Path, rows: int) -> None:
    """A row a second, 28 bytes each, whose SoC and current go up and down."""
    with path.open("wb") as file:
        file.write(b"timestamp,current,voltage,soc\n")
        for low in range(0, rows, _BLOCK_ROWS):
            file.writelines(
                b"%d,%d.%d,%d.%02d,%d.%d\n"
                % (
                    1_700_000_000 + i,
                    (-1) ** (i // 3600) * (10 + i % 30),
                    i % 10,
                    880 + i % 40,
                    i % 100,
                    30 + (i // 600) % 50,
                    i % 10,
                )
                for i in range(low, min(rows, low + _BLOCK_ROWS))
            )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _pieces(path: Path) -> Iterator[bytes]:
    yield _HEAD
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _upload(port: int, path: Path, pid: int) -> tuple[str, float]:
    """Send the file; the task, and the worker's CPU time until all but the last bytes were taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.putrequest("POST", "/api/v1/metrics")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
    connection.putheader("Content-Length", str(len(_HEAD) + path.stat().st_size + len(_TAIL)))
    connection.endheaders()
    before_s = _cpu_s(pid)
    for piece in _pieces(path):
        connection.send(piece)
    time.sleep(1.0)  # what lies in sockets is taken; the end of the body begins the next step
    received_s = _cpu_s(pid) - before_s
    connection.send(_TAIL)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 202:
        raise RuntimeError(content.decode())
    return json.loads(content)["task_id"], received_s


@asynccontextmanager
async def _looking(port: int, broker: str, topic: str, load_per_s: float) -> AsyncIterator[dict[str, float]]:
    """Feed other rows and look their assets up; what came of it is filled in at the end. Nothing without a load."""
    found: dict[str, float] = {}
    if not load_per_s:
        yield found
        return
    rng, ids = random.Random(11), Rows.of(ASSETS).assets  # noqa: S311  # repeatable on purpose
    durations_s, others = list[float](), 0
    async with feeding(broker, topic, load_per_s) as feed:
        await asyncio.sleep(_SETTLE_S)
        asking = True

        async def ask() -> None:
            nonlocal others
            while asking:
                asked = await open_loop(port, lambda: f"/api/v1/assets/{rng.choice(ids)}", _LOOKUPS_S, _LOOKUPS_PER_S)
                durations_s.extend(asked.durations_s)
                others += asked.others

        lookups = asyncio.create_task(ask())
        yield found
        asking = False
        await lookups
    summary = Summary.of(durations_s)
    found |= {"sent_per_s": feed.reached_per_s, "lookups": summary.count, "others": others}
    found |= {"p50": summary.p50_ms or 0.0, "p99": summary.p99_ms or 0.0, "max": summary.max_ms or 0.0}


def _steps(path: Path, kafka: KafkaSettings) -> tuple[dict[str, float], int]:
    """CPU time of checking, encoding and sending [s], and the rows."""

    async def sent() -> tuple[dict[str, float], int]:
        topic = MeasurementTopic(kafka)
        await topic.start()
        spent = dict.fromkeys(("check", "encode", "send"), 0.0)
        began_s = time.process_time()
        with path.open("rb") as file:
            checked = RowMessages().check(file, FileSpec())
            spent["check"] = time.process_time() - began_s
            messages = checked.messages(["upload"])
            while True:
                began_s = time.process_time()
                chunk = next_chunk(messages)
                spent["encode"] += time.process_time() - began_s
                if not chunk:
                    break
                began_s = time.process_time()
                for name, some in chunk.items():
                    await topic.append(name.encode(), [message.value for message in some])
                spent["send"] += time.process_time() - began_s
        await topic.stop()
        return spent, checked.rows

    return asyncio.run(sent())


async def _at_worker(worker: WorkerProcess, path: Path) -> dict[str, Any]:
    port, pid = worker.job.http_port, worker.process.pid
    peaks_mb = {"before": _resident_mb(pid), "until the answer": 0.0}
    began_s = time.monotonic()
    sending = asyncio.create_task(asyncio.to_thread(_upload, port, path, pid))
    while not sending.done():
        peaks_mb["until the answer"] = max(peaks_mb["until the answer"], _resident_mb(pid))
        await asyncio.wait({sending}, timeout=0.1)
    task_id, received_s = sending.result()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/api/v1/metrics/{task_id}")
        task = json.loads(connection.getresponse().read())
        connection.close()
        reading = task["progress"].get("reading") or {"phase": "applying"}
        peaks_mb[reading["phase"]] = max(peaks_mb.get(reading["phase"], 0.0), _resident_mb(pid))
        if task["state"] in ("SUCCESS", "FAILURE"):
            break
        await asyncio.sleep(0.1)
    if task["state"] == "FAILURE":
        raise RuntimeError(task["error"])
    counted = task["data"]["total_data_points"]
    took_s = time.monotonic() - began_s
    return {"receive": received_s, "peaks_mb": peaks_mb, "counted": counted, "took_s": took_s}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--port", type=int, default=_PORT)
    parser.add_argument(
        "--load", type=float, default=0.0, help="other rows a second meanwhile; `receive` has their work"
    )
    given = parser.parse_args()

    async def at_worker(broker: str, directory: Path, path: Path) -> dict[str, Any]:
        bed = Testbed(broker, directory, given.port + 10, QUICK, 300)
        job = bed.job("upload")
        limits = {"STREAM_HTTP__MAX_UPLOAD_BYTES": str(8 << 30), "STREAM_HTTP__UPLOAD_QUOTA_BYTES": str(16 << 30)}
        async with working(job, limits) as worker:
            await worker.ready()
            async with _looking(job.http_port, broker, job.input, given.load) as looked_up:
                seen = await _at_worker(worker, path)
            return seen | {"looked_up": looked_up}

    with own_broker(given.port) as (broker, directory):
        path = directory / "big.csv"
        _write_file(path, given.rows)
        seen = asyncio.run(at_worker(broker, directory, path))
        asyncio.run(topics.create(broker, "steps"))
        steps, rows = _steps(path, KafkaSettings(bootstrap_servers=broker, measurements_topic="steps"))
        size_mb = path.stat().st_size / 1e6
    spent = {"receive": seen["receive"], **steps}
    whole_s = sum(spent.values())
    shares = ", ".join(f"{step} {cpu_s:.2f} s ({cpu_s / whole_s:.0%})" for step, cpu_s in spent.items())
    peaks = ", ".join(f"{phase} {mb:.0f} MB" for phase, mb in seen["peaks_mb"].items())
    sys.stdout.write(
        f"{rows:,} rows, {size_mb:.0f} MB; {seen['counted']:,} counted\n"
        f"{rows / whole_s:,.0f} rows per CPU second: {shares}\n"
        f"memory at most: {peaks}; {seen['took_s']:.0f} s from the first byte to the last row\n"
    )
    if looked_up := seen["looked_up"]:
        sys.stdout.write(
            "{sent_per_s:,.0f} other rows a second; {lookups} look-ups: "
            "p50 {p50:.0f}, p99 {p99:.0f}, max {max:.0f} ms, {others} not answered\n".format(**looked_up)
        )


if __name__ == "__main__":
    main()
