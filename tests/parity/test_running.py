"""Sections 1.2 to 1.4 of the API: functions outside the graph, control of the cluster, its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.parity.functions import fail, identity, inc, inc_async, nap


def worker_name(dask_worker: Any) -> Any:
    return dask_worker.name


def test_run(client: Any) -> None:
    assert client.run(inc, 1) == dict.fromkeys(client.nthreads(), 2)
    assert client.run(inc_async, 1) == dict.fromkeys(client.nthreads(), 2)
    assert sorted(client.run(worker_name).values()) == [0, 1]
    one = sorted(client.nthreads())[0]
    assert list(client.run(inc, 1, workers=[one])) == [one]


def test_errors_of_run(client: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        client.run(fail)
    returned = client.run(fail, on_error="return")
    assert all(isinstance(error, ZeroDivisionError) for error in returned.values())
    assert client.run(fail, on_error="ignore") == {}
    with pytest.raises(ValueError, match="on_error"):
        client.run(fail, on_error="nonsense")


def test_run_on_the_scheduler(client: Any) -> None:
    assert client.run_on_scheduler(inc, 1) == 2
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)) == 2
    with pytest.raises(ZeroDivisionError):
        client.run_on_scheduler(fail)


def test_scheduler_info(client: Any) -> None:
    info = client.scheduler_info()
    assert {"type", "id", "address", "services", "started", "workers"} <= set(info)
    assert info["type"] == "Scheduler"
    assert set(info["workers"]) == set(client.nthreads())
    for worker in info["workers"].values():
        assert {"type", "id", "host", "resources", "local_directory", "name", "nthreads", "memory_limit"} <= set(worker)
        assert {"last_seen", "services", "metrics", "status", "nanny"} <= set(worker)
        assert worker["nthreads"] == 2


def test_threads(client: Any) -> None:
    assert sorted(client.nthreads().values()) == [2, 2]
    assert client.ncores() == client.nthreads()
    one = sorted(client.nthreads())[0]
    assert client.nthreads(workers=[one]) == {one: 2}


def test_who_has_and_has_what(client: Any) -> None:
    futures = client.map(identity, ["wh-a", "wh-b"])
    client.gather(futures)
    holders = client.who_has(futures)
    assert set(holders) == {future.key for future in futures}
    what = client.has_what()
    for key, workers in holders.items():
        assert len(workers) == 1
        assert key in what[workers[0]]


def test_processing(client: Any) -> None:
    worker = sorted(client.nthreads())[0]
    future = client.submit(nap, 30, workers=worker, pure=False)
    import time

    deadline = time.monotonic() + 60
    while future.key not in client.processing()[worker] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert future.key in client.processing(workers=[worker])[worker]
    future.cancel()


def test_nbytes(client: Any) -> None:
    future = client.submit(bytes, 100_000, pure=False)
    future.result(timeout=60)
    assert client.nbytes(keys=[future.key], summary=False)[future.key] >= 100_000
    assert client.nbytes()["bytes"] >= 100_000


def test_versions(client: Any) -> None:
    versions = client.get_versions(check=True)
    assert set(versions) == {"scheduler", "workers", "client"}
    assert set(versions["workers"]) == set(client.nthreads())


def test_wait_for_workers(client: Any) -> None:
    client.wait_for_workers(2, timeout=60)
    for number in (0, -1, 1.5):
        with pytest.raises(ValueError):  # noqa: PT011
            client.wait_for_workers(number)
    with pytest.raises(TimeoutError):
        client.wait_for_workers(3, timeout=0.1)


def test_attributes(client: Any, cluster: Any) -> None:
    assert client.status == "running"
    assert not client.asynchronous
    assert client.cluster is cluster
    assert isinstance(client.id, str)
    assert "threads" in repr(client)
    assert "Client" in client._repr_html_()


def test_use_after_close(lib: Any, submodule: Callable[[str], Any], cluster: Any) -> None:
    client = lib.Client(cluster, set_as_default=False)
    client.close()
    assert client.status == "closed"
    with pytest.raises(submodule("client").ClosedClientError, match=r"(?i)clos"):
        client.submit(inc, 1)


def test_unreachable_workers_are_named(lib: Any) -> None:
    with pytest.raises(OSError, match=r"."):
        lib.Client("127.0.0.1:1", timeout=0.3)
    with pytest.raises(TypeError):
        lib.Client(1.5)
    with pytest.raises(ValueError, match=r"."):
        lib.Client("127.0.0.1:1", nonsense=1)


def test_restart(own_client: Any, lib: Any) -> None:
    future = own_client.submit(inc, 1)
    future.result(timeout=60)
    own_client.restart()
    assert future.cancelled()
    assert own_client.submit(inc, 1).result(timeout=60) == 2
    assert len(own_client.nthreads()) == 2


def test_retire_workers(own_client: Any) -> None:
    futures = own_client.map(identity, [f"rw-{number}" for number in range(8)])
    own_client.gather(futures)
    leaving = sorted(own_client.nthreads())[0]
    own_client.retire_workers([leaving])
    assert leaving not in own_client.nthreads()
    assert own_client.gather(futures) == [f"rw-{number}" for number in range(8)]


def test_two_clients_share_results(client: Any, other: Any) -> None:
    first = client.submit(inc, 41)
    second = other.submit(inc, 41)
    assert first.key == second.key
    assert first.result(timeout=60) == second.result(timeout=60) == 42
    del first
    assert second.result(timeout=60) == 42


def test_copies_are_made_and_dropped(own_client: Any) -> None:
    own_client.amm.stop()
    assert own_client.amm.running() is False
    future = own_client.scatter({"copied": 1}, hash=False)["copied"]
    assert own_client.replicate([future]) is None
    assert len(own_client.who_has(future)[future.key]) == 2
    assert own_client.replicate(future, n=1) is None
    assert len(own_client.who_has(future)[future.key]) == 1
    own_client.replicate([future], n=5)
    assert len(own_client.who_has(future)[future.key]) == 2
    assert own_client.amm.run_once() is None
    assert len(own_client.who_has(future)[future.key]) == 1
    assert own_client.amm.start() is None
    assert own_client.amm.running() is True
    with pytest.raises(ValueError, match="delete data"):
        own_client.replicate(future, n=0)
    assert future.result(timeout=60) == 1


def test_failed_results_are_not_copied_and_cannot_be_moved(own_client: Any) -> None:
    failed = own_client.submit(fail)
    assert own_client.replicate([failed]) is None
    with pytest.raises(KeyError, match="Could not rebalance keys"):
        own_client.rebalance([failed])
    with pytest.raises(KeyError):
        own_client.rebalance(workers=["127.0.0.1:1"])
    with pytest.raises(KeyError):
        own_client.replicate(own_client.submit(inc, 1), workers=["127.0.0.1:1"])


def test_rebalance_moves_nothing_that_need_not_move(own_client: Any) -> None:
    futures = own_client.map(inc, range(10))
    own_client.gather(futures)
    before = own_client.who_has(futures)
    assert own_client.rebalance() is None
    assert own_client.rebalance(futures) is None
    assert own_client.who_has(futures) == before


def test_a_worker_with_an_actor_is_not_retired(own_client: Any) -> None:
    class Counter:
        pass

    actor = own_client.submit(Counter, actor=True)
    actor.result(timeout=60)
    [address] = own_client.who_has(actor)[actor.key]
    assert own_client.retire_workers([address]) == {}
    assert address in own_client.nthreads()


def test_parts_of_policies(submodule: Any, own_client: Any) -> None:
    manager = submodule("active_memory_manager")
    for name in ("ActiveMemoryManagerPolicy", "ActiveMemoryManagerExtension", "Suggestion", "AMMClientProxy"):
        assert hasattr(manager, name)
    assert (repr(manager.ReduceReplicas()), repr(manager.RetireWorker("a:1"))) == (
        "ReduceReplicas()",
        "RetireWorker('a:1')",
    )
    assert manager.Suggestion("drop", 1) == ("drop", 1, None)
    assert type(own_client.amm) is manager.AMMClientProxy
