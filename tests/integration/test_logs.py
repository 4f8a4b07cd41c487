"""Logs of scheduler, workers and nannies, by client and by cluster."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from dagrpc import Client, LocalCluster
from dagrpc.exceptions import UnknownWorkerError
from dagrpc_deploy.logs import Log, Logs


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@pytest.fixture
def own(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def test_the_scheduler_s_log(own: Client) -> None:
    lines = own.get_scheduler_logs()
    assert isinstance(lines, tuple)
    level, text = lines[0]
    assert level == "INFO"
    assert f"dagrpc.scheduler - INFO - Client {own.id} connected" in text
    assert own.get_scheduler_logs(n=1) == lines[:1]
    with pytest.raises(ValueError, match="at least 1"):
        own.get_scheduler_logs(n=0)


def log_something(text: str) -> None:
    logging.getLogger("dagrpc.worker").warning(text)
    logging.getLogger("distributed.worker").info("as for distributed: %s", text)
    logging.getLogger("somebody.else").error(text)


def test_workers_logs(own: Client) -> None:
    first, second = own.scheduler_info()["workers"]
    own.run(log_something, "a text", workers=[first])
    logs = own.get_worker_logs(n=2)
    assert set(logs) == {first, second}
    assert [level for level, _ in logs[first]] == ["INFO", "WARNING"]
    assert logs[first][0][1].endswith("distributed.worker - INFO - as for distributed: a text")
    assert logs[first][1][1].endswith("dagrpc.worker - WARNING - a text")
    assert "joined the scheduler" in "".join(text for _, text in own.get_worker_logs()[second])
    assert set(own.get_worker_logs(workers=[second])) == {second}
    assert own.get_worker_logs(workers=[]) == {}
    with pytest.raises((UnknownWorkerError, ValueError), match="nobody"):
        own.get_worker_logs(workers=["nobody"])


def test_nannies_logs(own: Client) -> None:
    logs = own.get_worker_logs(nanny=True)
    assert set(logs) == set(own.scheduler_info()["workers"])
    for lines in logs.values():
        assert any("dagrpc.nanny" in text for _, text in lines)
        assert not any("dagrpc.worker" in text for _, text in lines)


def test_the_cluster_s_logs(cluster: LocalCluster, own: Client) -> None:
    logs = cluster.get_logs()
    workers = list(own.scheduler_info()["workers"])
    assert type(logs) is Logs
    assert list(logs) == ["Cluster", "Scheduler", *workers]
    assert all(type(log) is Log for log in logs.values())
    assert cluster.scheduler_address in logs["Cluster"]
    assert own.id in logs["Scheduler"].split("\n")[0]
    assert "<details>" in logs._repr_html_()
    assert own.id in logs["Scheduler"]._repr_html_()
    assert list(cluster.get_logs(cluster=False, scheduler=False, workers=workers[:1])) == workers[:1]
    assert list(cluster.get_logs(workers=False)) == ["Cluster", "Scheduler"]


def test_services_in_this_process_have_their_own_lines(client: Client, shared_cluster: LocalCluster) -> None:
    for part in ("scheduler", "worker"):
        logging.getLogger(f"dagrpc.{part}").warning("a line of the %s's", part)
    logs = shared_cluster.get_logs()
    assert "a line of the scheduler's" in logs["Scheduler"]
    assert "a line of the worker's" not in logs["Scheduler"]
    workers = client.get_worker_logs()
    assert len(workers) == 2
    for lines in workers.values():
        text = "\n".join(line for _, line in lines)
        assert "a line of the worker's" in text
        assert "a line of the scheduler's" not in text
    assert client.get_worker_logs(nanny=True) == {}


async def ask_asynchronously(address: str) -> tuple[Any, Any]:
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        return await client.get_scheduler_logs(n=1), await client.get_worker_logs(n=1)


def test_asynchronous_clients(cluster: LocalCluster) -> None:
    ((level, _),), workers = asyncio.run(ask_asynchronously(cluster.scheduler_address))
    assert level == "INFO"
    assert len(workers) == 2


def test_lines_that_clients_can_ask_for_are_not_all_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster, Client(cluster) as client:
        client.run(log_something, "shown")
        assert len(client.get_scheduler_logs()) > 1
    shown = capfd.readouterr().err
    assert "dagrpc.worker - WARNING - shown" in shown
    assert "INFO" not in shown
