"""Logs as JSON: all services write one object per line, with the worker, client and task that the record is about."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

from dagrpc import Client, wait
from dagrpc._process.log_lines import JsonFormatter, formatter_of
from tests.support.ports import free_port

WAIT = 60.0


def spawn(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dagrpc.cli", *arguments, "--log-format", "json"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def lines_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    process.terminate()
    _, log = process.communicate(timeout=WAIT)
    return [json.loads(line) for line in log.splitlines()]


def test_services_log_json() -> None:
    address = f"127.0.0.1:{free_port()}"
    scheduler = spawn("scheduler", "--port", address.rpartition(":")[2], "--dashboard-address", ":0")
    worker = spawn("worker", address, "--nthreads", "1", "--no-nanny")
    try:
        with Client(address, timeout=WAIT) as client:
            client.wait_for_workers(1, timeout=WAIT)
            (name,) = client.scheduler_info()["workers"]
            failed = client.submit(lambda: 1 / 0, key="a-key", pure=False)
            wait([failed])
            client_id = client.id
        of_worker, of_scheduler = lines_of(worker), lines_of(scheduler)
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
    for line in of_worker + of_scheduler:
        assert {"time", "level", "logger", "process", "message"} <= set(line)
    assert any(line.get("key") == "a-key" and "ZeroDivisionError" in line["message"] for line in of_worker)
    assert any(line.get("worker") == name and "joined" in line["message"] for line in of_scheduler)
    assert any(line.get("client") == client_id for line in of_scheduler)
    assert {line["process"] for line in of_worker} == {worker.pid}


def test_a_traceback_is_a_field() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("dagrpc.x", logging.ERROR, "", 0, "it failed: %s", ("é",), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == "it failed: é"
    assert line["exception"].endswith("ValueError: two\nlines")
    assert line["time"].endswith("+00:00")


def test_other_formats_are_those_of_logging() -> None:
    record = logging.LogRecord("dagrpc.x", logging.INFO, "", 0, "text", (), None)
    assert formatter_of("%(name)s %(message)s").format(record) == "dagrpc.x text"
