"""The command `dagrpc worker` parses its arguments. The tests of nannies cover the processes that it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask
import pytest
from click.testing import CliRunner

from dagrpc._common.addresses import local_ip
from dagrpc._process.machine import cpu_count, total_memory
from dagrpc_worker import cli


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Settings of what would have been started; nothing is."""
    found: list[dict[str, Any]] = []

    def take(settings: dict[str, Any]) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(cli, "_run_nannies", take)
    monkeypatch.setattr(cli, "_run_worker", take)
    return found


def settings_of(started: list[dict[str, Any]], *arguments: str) -> dict[str, Any]:
    outcome = CliRunner().invoke(cli.worker, arguments)
    assert outcome.exit_code == 0, outcome.output
    (settings,) = started
    return settings


def test_defaults(started: list[dict[str, Any]]) -> None:
    settings = settings_of(started, "127.0.0.1")
    assert settings["scheduler_address"] == "127.0.0.1:8786"
    assert settings["host"] == "127.0.0.1"
    (worker,) = settings["workers"]
    assert worker["nthreads"] == cpu_count()
    assert worker["memory_limit"] == total_memory()
    assert worker["name"] is None
    assert worker["death_timeout"] is None


def test_several_workers_share_the_machine(started: list[dict[str, Any]]) -> None:
    settings = settings_of(started, "h:1", "--nworkers", "2", "--name", "w", "--host", "127.0.0.1")
    assert [worker["name"] for worker in settings["workers"]] == ["w-0", "w-1"]
    assert {worker["nthreads"] for worker in settings["workers"]} == {max(1, cpu_count() // 2)}
    assert sum(worker["memory_limit"] for worker in settings["workers"]) <= total_memory()


@pytest.mark.parametrize(("given", "count"), [("auto", None), ("-1", cpu_count()), ("3", 3)])
def test_numbers_of_workers(started: list[dict[str, Any]], given: str, count: int | None) -> None:
    workers = settings_of(started, "127.0.0.1", "--nworkers", given)["workers"]
    assert count is None or len(workers) == count
    assert sum(worker["nthreads"] for worker in workers) >= cpu_count()


def test_values_are_read(started: list[dict[str, Any]], tmp_path: Path) -> None:
    arguments = ["tcp://127.0.0.1:9000/", "--nthreads", "3", "--memory-limit", "1 MiB", "--death-timeout", "1 minute"]
    arguments += ["--resources", "GPU=2 MEM=10e9", "--worker-port", "9000:9010", "--nanny-port", "9011"]
    arguments += ["--local-directory", str(tmp_path), "--contact-address", "node7:9000"]
    settings = settings_of(started, *arguments)
    assert settings["scheduler_address"] == "127.0.0.1:9000"
    assert (settings["worker_ports"], settings["nanny_ports"]) == ((9000, 9010), (9011, 9011))
    assert settings["contact_host"] == "node7"
    (worker,) = settings["workers"]
    assert worker["nthreads"] == 3
    assert worker["memory_limit"] == 1 << 20
    assert worker["death_timeout"] == 60
    assert worker["resources"] == {"GPU": 2.0, "MEM": 10e9}
    assert worker["local_directory"] == str(tmp_path)


def test_the_address_to_listen_on_follows_the_scheduler(started: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    assert settings_of(started, "--scheduler-file", str(file))["host"] == "127.0.0.1"
    started.clear()
    file.write_text(json.dumps({"address": "192.0.2.1:8786"}))
    assert settings_of(started, "--scheduler-file", str(file))["host"] == local_ip("192.0.2.1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name the scheduler"),
        (["127.0.0.1", "--scheduler-file", "x"], "one of the two"),
        (["x:99999"], "99999"),
        (["ftp://x"], "ftp"),
        (["127.0.0.1", "--nworkers", "zero"], "'zero'"),
        (["127.0.0.1", "--nworkers", "0"], "0 makes no workers"),
        (["127.0.0.1", "--nworkers", "-500"], "-500"),
        (["127.0.0.1", "--nthreads", "0"], "--nthreads"),
        (["127.0.0.1", "--resources", "GPU"], "'GPU'"),
        (["127.0.0.1", "--resources", "GPU=nan"], "'GPU=nan'"),
        (["127.0.0.1", "--resources", "=1"], "'=1'"),
        (["127.0.0.1", "--worker-port", "5:1"], "'5:1'"),
        (["127.0.0.1", "--memory-limit", "lots"], "'lots'"),
        (["127.0.0.1", "--memory-limit", "-5"], "'-5'"),
        (["127.0.0.1", "--death-timeout", "soon"], "'soon'"),
        (["127.0.0.1", "--nworkers", "2", "--no-nanny"], "--no-nanny"),
        (["127.0.0.1", "--interface", "nope0"], "'nope0'"),
        (["127.0.0.1", "--interface", "lo", "--host", "127.0.0.1"], "--interface"),
        (["127.0.0.1", "--log-level", "LOUD"], "'LOUD'"),
        (["127.0.0.1", "--colour", "blue"], "--colour"),
    ],
)
def test_bad_values_are_named(started: list[dict[str, Any]], arguments: list[str], message: str) -> None:
    outcome = CliRunner().invoke(cli.worker, arguments)
    assert outcome.exit_code == 2, outcome.output
    assert message in outcome.output
    assert "Traceback" not in outcome.output
    assert started == []


def test_lifetimes_classes_and_older_names(started: list[dict[str, Any]]) -> None:
    arguments = ["127.0.0.1", "--lifetime", "1 hour", "--lifetime-stagger", "5 minutes", "--lifetime-restart"]
    arguments += ["--nprocs", "2", "--nthreads", "1", "--worker-class", "package.MyWorker", "--protocol", "tcp"]
    settings = settings_of(started, *arguments)
    assert len(settings["workers"]) == 2
    assert settings["workers"][0]["lifetime"] == 3600
    assert settings["workers"][0]["lifetime_stagger"] == 300
    assert settings["workers"][0]["lifetime_restart"] is True
    assert settings["workers"][0]["worker_class"] == "package.MyWorker"


def test_an_address_to_listen_on(started: list[dict[str, Any]]) -> None:
    settings = settings_of(started, "127.0.0.1", "--listen-address", "tcp://127.0.0.1:4000")
    assert (settings["host"], settings["worker_ports"]) == ("127.0.0.1", (4000, 4000))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lifetime", "soon"), "'soon' is not a duration"),
        (("--protocol", "ucx"), "ucx"),
        (("--listen-address", "a:1", "--host", "b"), "leave them out"),
        (("--listen-address", "a:x"), "'x'"),
    ],
)
def test_impossible_arguments_are_named(arguments: tuple[str, ...], message: str) -> None:
    outcome = CliRunner().invoke(cli.worker, ["127.0.0.1", *arguments])
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_options_that_change_nothing_say_so(started: list[dict[str, Any]]) -> None:
    outcome = CliRunner().invoke(cli.worker, ["127.0.0.1", "--scheduler-sni", "x"])
    assert outcome.exit_code == 0
    assert "--scheduler-sni changes nothing" in outcome.output


def test_each_worker_is_told_where_to_serve_http(started: list[dict[str, Any]]) -> None:
    settings = settings_of(started, "127.0.0.1", "--no-dashboard", "--dashboard-address", ":99", "--nworkers", "2")
    assert [(spec["dashboard"], spec["dashboard_address"]) for spec in settings["workers"]] == [(False, ":99")] * 2


def test_the_setting_says_where_the_scheduler_is(started: list[dict[str, Any]]) -> None:
    with dask.config.set({"scheduler-address": "tcp://node7:9000"}):
        assert settings_of(started, "--host", "127.0.0.1")["scheduler_address"] == "node7:9000"


def test_without_any_scheduler_it_is_said_how_to_name_one(started: list[dict[str, Any]]) -> None:
    with dask.config.set({"scheduler-address": None}):
        outcome = CliRunner().invoke(cli.worker, [])
    assert outcome.exit_code == 2
    assert "DASK_SCHEDULER_ADDRESS" in outcome.output
    assert started == []


@pytest.mark.parametrize(
    ("arguments", "host", "ports"),
    [
        (["--host", "tcp://127.0.0.1"], "127.0.0.1", None),
        (["--host", "tcp://127.0.0.1:9000"], "127.0.0.1", (9000, 9000)),
        (["--host", "127.0.0.1", "--worker-port", "9000:9010"], "127.0.0.1", (9000, 9010)),
        (["--listen-address", "tcp://:9000"], "0.0.0.0", (9000, 9000)),
    ],
)
def test_a_host_may_be_an_address(
    started: list[dict[str, Any]], arguments: list[str], host: str, ports: tuple[int, int] | None
) -> None:
    settings = settings_of(started, "127.0.0.1", *arguments)
    assert (settings["host"], settings["worker_ports"]) == (host, ports)


def test_a_port_that_is_named_twice_is_refused(started: list[dict[str, Any]]) -> None:
    outcome = CliRunner().invoke(cli.worker, ["127.0.0.1", "--host", "tcp://127.0.0.1:9000", "--worker-port", "9001"])
    assert outcome.exit_code == 2
    assert "named twice" in outcome.output
    assert started == []


def test_options_that_change_nothing_are_said_to(started: list[dict[str, Any]]) -> None:
    arguments = ["127.0.0.1", "--scheduler-sni", "x", "--bokeh"]
    outcome = CliRunner().invoke(cli.worker, arguments)
    assert outcome.exit_code == 0
    for option in ("--scheduler-sni", "--bokeh"):
        assert outcome.output.count(f"{option} changes nothing") == 1
