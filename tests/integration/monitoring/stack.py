"""Prometheus, Alertmanager and a webhook, on the shipped rules with shorter times."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

from tests.e2e.workers import until
from tests.ports import free_port

SHIPPED: Final = Path(__file__).parents[3] / "deploy" / "monitoring"
#: In place of all ranges and offsets of the rules, and of the times that alerts wait.
RANGE, WAIT = "8s", "1s"


def shortened(expr: str) -> str:
    """An expression whose ranges and offsets take seconds."""
    return re.sub(r"(\[|offset )\d+[smh]", rf"\g<1>{RANGE}", expr)


def value_of(expr: str) -> str:
    """What an alert compares with its threshold, which the expression ends in."""
    value, compared = re.subn(r" [<>] [\d.]+$", "", expr)
    assert compared == 1 or expr.startswith("absent("), expr
    return value


def rules() -> list[dict[str, Any]]:
    """The shipped rules."""
    groups = yaml.safe_load((SHIPPED / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Stack:
    """Both programs, and the alerts that have reached the webhook. Scrapes what listens at both targets."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ends = ExitStack()
        #: Addresses of the worker and of the history process.
        self.target, self.history_target = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._port, self._alertmanager = free_port(), free_port()
        #: Names of alerts, ``firing`` or ``resolved``, and the labels, in the order of their arrival.
        self.told: list[tuple[str, str, dict[str, str]]] = []

    def __enter__(self) -> Self:
        webhook = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=webhook.serve_forever, daemon=True).start()
        self._ends.callback(webhook.server_close)
        self._ends.callback(webhook.shutdown)
        self._configure(webhook.server_port)
        folder = str(self._directory)
        self._run(
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--rules.alert.resend-delay=2s",  # the first alerts come before it knows the Alertmanager
        )
        self._run(
            "prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yml",
            f"--web.listen-address=127.0.0.1:{self._alertmanager}",
            "--cluster.listen-address=",
        )
        for port in (self._port, self._alertmanager):
            until(partial(_answers, f"http://127.0.0.1:{port}/-/ready"), "it is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def _configure(self, webhook_port: int) -> None:
        short = rules()
        for rule in short:
            rule["expr"] = shortened(rule["expr"])
            if "for" in rule:
                rule["for"] = WAIT
            if rule.get("alert") == "StreamAppLag":
                rule["expr"] = re.sub(r"> \d+$", "> 2", rule["expr"])
        prometheus = yaml.safe_load((SHIPPED / "prometheus.yml").read_text("utf-8"))
        prometheus["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
        for job, target in zip(prometheus["scrape_configs"], (self.target, self.history_target), strict=True):
            del job["dns_sd_configs"]
            job["static_configs"] = [{"targets": [target]}]
        (manager,) = prometheus["alerting"]["alertmanagers"]
        manager["static_configs"] = [{"targets": [f"127.0.0.1:{self._alertmanager}"]}]
        manager = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text("utf-8"))
        manager["route"] |= {"group_wait": "100ms", "group_interval": "500ms"}
        manager["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{webhook_port}/"
        groups = {"groups": [{"name": "short", "rules": short}]}
        for name, content in (("prometheus", prometheus), ("alertmanager", manager), ("alerts", groups)):
            (self._directory / f"{name}.yml").write_text(yaml.safe_dump(content), "utf-8")

    def _run(self, program: str, *arguments: str) -> None:
        storage = "storage.tsdb.path" if program == "prometheus" else "storage.path"
        log = self._ends.enter_context((self._directory / f"{program}.log").open("wb"))
        process = subprocess.Popen(
            [program, *arguments, f"--{storage}={self._directory / program}"], stdout=log, stderr=log
        )
        self._ends.callback(process.wait)
        self._ends.callback(process.kill)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        told = self.told

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.extend((each["labels"]["alertname"], each["status"], each["labels"]) for each in body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        return Webhook

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Elements of an instant vector; AssertionError: Prometheus refuses the expression."""
        answer = httpx.get(f"http://127.0.0.1:{self._port}/api/v1/query", params={"query": expr}, timeout=10)
        assert answer.status_code == 200, f"{expr}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def has_told(self, alert: str, status: str, **labels: str) -> bool:
        """Whether an alert has reached the webhook, with these labels among its own."""
        return any((name, state) == (alert, status) and labels.items() <= its.items() for name, state, its in self.told)

    def wait_for(self, alert: str, status: str, **labels: str) -> None:
        """Wait until an alert has reached the webhook."""
        try:
            until(lambda: self.has_told(alert, status, **labels), f"{alert} {labels} is {status}", 60)
        except AssertionError as error:
            error.add_note(f"told: {self.told}")
            raise


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
