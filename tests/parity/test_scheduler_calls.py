"""Libraries call `Client.scheduler` and `Worker.scheduler`, and add handlers of their own to the scheduler."""

from __future__ import annotations

from typing import Any

import dask
import pytest

from tests.parity.conftest import PATIENCE
from tests.parity.functions import fail, inc


def _add_handlers(dask_scheduler: Any) -> None:
    class Extension:
        def __init__(self) -> None:
            self.noted: list[int] = []

        def note(self, comm: Any, number: int) -> int:
            self.noted.append(number)
            return len(self.noted)

        async def total(self) -> int:
            return sum(self.noted)

        def fail(self, number: int) -> None:
            raise ValueError(f"not {number}")

    extension = Extension()
    dask_scheduler.extensions["notes"] = extension
    dask_scheduler.handlers.update(note=extension.note, total=extension.total, fail=extension.fail)


def test_the_scheduler_is_asked(client: Any) -> None:
    future = client.submit(inc, 1, key="asked")
    assert future.result(timeout=PATIENCE) == 2
    workers = set(client.ncores())

    async def ask() -> list[Any]:
        scheduler = client.scheduler
        return [
            await scheduler.who_has(keys=["asked", "nobody-knows-it"]),
            await scheduler.has_what(),
            await scheduler.ncores(),
            await scheduler.nbytes(keys=["asked"]),
            (await scheduler.identity())["type"],
            set((await scheduler.identity())["workers"]),
            await scheduler.workers_to_close(n=1),
        ]

    who_has, has_what, ncores, nbytes, kind, known, to_close = client.sync(ask)
    assert {key: len(holders) for key, holders in who_has.items()} == {"asked": 1, "nobody-knows-it": 0}
    assert who_has["asked"][0] in workers
    assert {worker for worker, keys in has_what.items() if "asked" in keys} == set(who_has["asked"])
    assert ncores == client.ncores()
    assert nbytes == {"asked": 28}
    assert (kind, known) == ("Scheduler", workers)
    assert len(to_close) <= 1


def test_the_scheduler_is_asked_from_outside_of_the_loop(client: Any) -> None:
    assert client.sync(client.scheduler.ncores) == client.ncores()
    client.sync(client.scheduler.set_metadata, keys=["asked", "for"], value=3)
    assert client.sync(client.scheduler.get_metadata, keys=["asked"], default=None) == {"for": 3}


def test_arguments_have_names(client: Any) -> None:
    with pytest.raises(TypeError):
        client.sync(client.scheduler.who_has, ["asked"])
    with pytest.raises(TypeError):
        client.sync(client.scheduler.who_has, no_such_argument=1)


def test_handlers_of_ones_own(client: Any) -> None:
    client.run_on_scheduler(_add_handlers)
    assert [client.sync(client.scheduler.note, number=number) for number in (20, 22)] == [1, 2]
    assert client.sync(client.scheduler.total) == 42
    with pytest.raises(ValueError, match="not 7"):
        client.sync(client.scheduler.fail, number=7)


def test_handlers_are_called_from_tasks(lib: Any, client: Any) -> None:
    client.run_on_scheduler(_add_handlers)

    def note(number: int) -> int:
        client = lib.get_client()
        return int(client.sync(client.scheduler.note, number=number))

    assert sorted(client.gather(client.map(note, range(4), pure=False))) == [1, 2, 3, 4]
    assert client.sync(client.scheduler.total) == 6


def test_workers_ask_their_scheduler(client: Any) -> None:
    future = client.submit(inc, 1, key="asked-by-a-worker")
    assert future.result(timeout=PATIENCE) == 2

    async def ask(dask_worker: Any) -> Any:
        return await dask_worker.scheduler.who_has(keys=["asked-by-a-worker"])

    for answer in client.run(ask).values():
        assert {key: len(holders) for key, holders in answer.items()} == {"asked-by-a-worker": 1}


def test_a_worker_describes_its_tasks(client: Any) -> None:
    future = client.submit(inc, 1, key="known")
    assert future.result(timeout=PATIENCE) == 2

    def look(dask_worker: Any) -> Any:
        state = dask_worker.state
        task = state.tasks.get("known")
        return state.nthreads, state.address == dask_worker.address, state.running, task and (task.key, task.state)

    answers = client.run(look)
    assert {answer[:3] for answer in answers.values()} == {(2, True, True)}
    assert [answer[3] for answer in answers.values() if answer[3]] == [("known", "memory")]


def test_asynchronous_clients_know_the_cluster_without_waiting(run_async: Any) -> None:
    async def look(client: Any) -> tuple[Any, ...]:
        await client.wait_for_workers(2, timeout=PATIENCE)
        info = client.scheduler_info()
        return info["type"], info["n_workers"], info["total_threads"], len(info["workers"])

    assert run_async(look) == ("Scheduler", 2, 4, 2)


def test_asynchronous_clients_write_scheduler_files(lib: Any, run_async: Any, tmp_path: Any) -> None:
    path = tmp_path / "scheduler.json"

    async def write(client: Any) -> None:
        client.write_scheduler_file(str(path))
        assert client.scheduler_file == str(path)

    run_async(write)
    with lib.Client(scheduler_file=str(path), set_as_default=False) as client:
        assert client.submit(inc, 1).result(timeout=PATIENCE) == 2


def test_other_workers_are_allowed_where_none_are_named(client: Any) -> None:
    value = dask.delayed(inc)(1)
    assert client.compute(value, allow_other_workers=True).result(timeout=PATIENCE) == 2
    assert client.persist(value, allow_other_workers=True).compute() == 2
    assert client.get({"x": (inc, 1)}, "x", allow_other_workers=True) == 2
    for verb in (client.submit, lambda *args, **kwargs: client.map(inc, [1], **kwargs)):
        with pytest.raises(ValueError, match="allow_other_workers"):
            verb(inc, 1, allow_other_workers=True)


def test_functions_on_the_scheduler_ask_it(client: Any) -> None:
    futures = client.map(inc, range(4), key=[f"on-scheduler-{number}" for number in range(4)])
    failed = client.submit(fail, key="failed-on-scheduler")
    client.gather(futures)
    assert failed.exception(timeout=PATIENCE) is not None
    workers = client.ncores()

    def ask(dask_scheduler: Any) -> dict[str, Any]:
        task = dask_scheduler.tasks["on-scheduler-0"]
        return {
            "who_has": dask_scheduler.get_who_has(["on-scheduler-0", "nobody"]),
            "has_what": sorted(key for keys in dask_scheduler.get_has_what().values() for key in keys if "on-" in key),
            "ncores": (dask_scheduler.get_ncores(), dask_scheduler.get_ncores_running(), dask_scheduler.get_ncores([])),
            "nbytes": dask_scheduler.get_nbytes(["on-scheduler-0", "on-scheduler-1"]),
            "nbytes_each": dask_scheduler.get_nbytes(["on-scheduler-0"], summary=False),
            "processing": sorted(dask_scheduler.get_processing()),
            "status": dask_scheduler.get_task_status(["on-scheduler-0", "failed-on-scheduler", "nobody"]),
            "states": dask_scheduler.get_task_prefix_states()["on-scheduler"]["memory"],
            "metadata": dask_scheduler.get_metadata(["not", "noted"], default=7),
            "workers": sorted(dask_scheduler.workers_list(None)),
            "n_tasks": dask_scheduler.n_tasks >= 5,
            "erred": any("failed-on-scheduler" in repr(each) for each in dask_scheduler.erred_tasks),
            "host": (dask_scheduler.host, dask_scheduler.ip),
            "hosts": {
                host: (len(info["addresses"]), info["nthreads"]) for host, info in dask_scheduler.host_info.items()
            },
            "set_up": (dask_scheduler.allowed_failures, dask_scheduler.bandwidth > 0, dask_scheduler.contact_address),
            "threads": dask_scheduler.total_nthreads_history[-1][1],
            "group": (set(task.group.types), task.group.nbytes_total, set(task.prefix.types), task.prefix.suspicious),
            "counts": [dict(worker.task_prefix_count) for worker in dask_scheduler.workers.values()],
            "needs": [dict(worker.needs_what) for worker in dask_scheduler.workers.values()],
        }

    found = client.run_on_scheduler(ask)
    who_has = found.pop("who_has")
    assert who_has["nobody"] == []
    assert set(who_has["on-scheduler-0"]) <= set(workers)
    assert found == {
        "has_what": [f"on-scheduler-{number}" for number in range(4)],
        "ncores": (workers, workers, {}),
        "nbytes": {"on-scheduler": 56},
        "nbytes_each": {"on-scheduler-0": 28},
        "processing": sorted(workers),
        "status": {"on-scheduler-0": "memory", "failed-on-scheduler": "erred", "nobody": None},
        "states": 4,
        "metadata": 7,
        "workers": sorted(workers),
        "n_tasks": True,
        "erred": True,
        "host": ("127.0.0.1", "127.0.0.1"),
        "hosts": {"127.0.0.1": (2, 4)},
        "set_up": (3, True, None),
        "threads": 4,
        "group": ({"int"}, 112, {"int"}, 0),
        "counts": [{}, {}],
        "needs": [{}, {}],
    }


def test_a_scheduler_that_is_told_to_restart(own_client: Any) -> None:
    future = own_client.submit(inc, 1, key="given-up")
    assert future.result(timeout=PATIENCE) == 2

    async def restart(dask_scheduler: Any) -> None:
        await dask_scheduler.restart(timeout=PATIENCE, stimulus_id="asked")

    own_client.run_on_scheduler(restart)
    own_client.wait_for_workers(2, timeout=PATIENCE)
    assert own_client.submit(inc, 2, key="after-restart").result(timeout=PATIENCE) == 3
    assert own_client.run_on_scheduler(lambda dask_scheduler: "given-up" in dask_scheduler.tasks) is False


def test_an_empty_list_of_workers_names_no_worker(client: Any) -> None:
    async def ask(dask_scheduler: Any) -> Any:
        retired = await dask_scheduler.retire_workers(workers=[], stimulus_id="asked")
        return await dask_scheduler.broadcast(msg={"op": "identity"}, workers=[]), dict(retired)

    assert client.run_on_scheduler(ask) == ({}, {})
    assert len(client.scheduler_info()["workers"]) == 2
