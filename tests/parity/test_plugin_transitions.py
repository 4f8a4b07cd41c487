"""Section 10 of the API: transitions that plugins receive, and the state of the tasks that they see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.parity.functions import inc
from tests.support.waiting import eventually


def fail(_: Any) -> None:
    raise ValueError("no number")


@pytest.fixture
def watched(client: Any, lib: Any) -> Iterator[Callable[[], list[Any]]]:
    """Register a scheduler plugin that notes all transitions; return a function that fetches the notes."""

    class Watcher(lib.SchedulerPlugin):  # type: ignore[misc]
        name = "parity-transitions"

        def start(self, scheduler: Any) -> None:
            self.scheduler = scheduler
            scheduler.parity_seen = []

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            if not str(key).startswith("parity-t-"):
                return
            try:
                task = self.scheduler.tasks[key]
                seen = {
                    "state": task.state,
                    "prefix": task.prefix.name,
                    "dependencies": sorted(each.key for each in task.dependencies),
                    "metadata": task.metadata,
                    "exception_text": task.exception_text,
                }
            except Exception as error:
                seen = {"error": repr(error)}
            plain = {name: value for name, value in kwargs.items() if name not in ("exception", "traceback")}
            self.scheduler.parity_seen.append((key, start, finish, sorted(kwargs), plain, seen))

    client.register_plugin(Watcher())
    yield lambda: client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.parity_seen)
    client.unregister_scheduler_plugin("parity-transitions")


def test_the_task_can_be_looked_at_to_its_end(client: Any, watched: Callable[[], list[Any]]) -> None:
    first = client.submit(inc, 1, key="parity-t-first")
    second = client.submit(inc, first, key="parity-t-second")
    assert second.result(timeout=60) == 3
    del first, second
    eventually(lambda: sum(found[2] == "forgotten" for found in watched()) == 2)
    for key, _, finish, _, _, seen in watched():
        assert "error" not in seen
        assert seen["state"] == finish
        assert seen["dependencies"] == (["parity-t-first"] if key == "parity-t-second" else [])
        assert seen["prefix"] == key


def test_the_report_of_a_run(client: Any, watched: Callable[[], list[Any]]) -> None:
    workers = list(client.scheduler_info()["workers"])
    first = client.submit(inc, 1, key="parity-t-here", workers=[workers[0]])
    second = client.submit(inc, first, key="parity-t-there", workers=[workers[1]])
    assert second.result(timeout=60) == 3
    found = {key: (names, told) for key, start, finish, names, told, _ in watched() if finish == "memory"}
    names, told = found["parity-t-there"]
    wanted = {"metadata", "nbytes", "startstops", "status", "stimulus_id", "thread", "type", "typename", "worker"}
    assert wanted <= set(names)
    assert told["status"] == "OK"
    assert told["typename"] == "int"
    assert told["worker"] == workers[1]
    assert isinstance(told["thread"], int)
    assert {each["action"] for each in told["startstops"]} >= {"transfer", "compute"}
    assert all(each["start"] <= each["stop"] for each in told["startstops"])


def test_the_report_of_a_failure(client: Any, watched: Callable[[], list[Any]]) -> None:
    future = client.submit(fail, 1, key="parity-t-fails")
    with pytest.raises(ValueError, match="no number"):
        future.result(timeout=60)
    ((names, told, seen),) = [found[3:] for found in watched() if found[1:3] == ("processing", "erred")]
    assert {"cause", "exception", "exception_text", "traceback", "traceback_text", "startstops", "thread"} <= set(names)
    assert told["cause"] == "parity-t-fails"
    assert told["exception_text"] == seen["exception_text"] == "ValueError('no number')"
    assert "in fail" in told["traceback_text"]
    assert told["status"] == "error"


@pytest.fixture
def noting(client: Any, lib: Any) -> Iterator[None]:
    """Register a worker plugin that notes metadata of each task and inspects the tasks that fail."""

    class Noter(lib.WorkerPlugin):  # type: ignore[misc]
        name = "parity-noter"

        def setup(self, worker: Any) -> None:
            self.worker = worker
            worker.parity_failures = []

        def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
            if finish == "executing":
                self.worker.state.tasks[key].metadata["start_time"] = 1.0
            elif start == "executing" and finish == "memory":
                task = self.worker.state.tasks[key]
                assert task.state == "memory"
                task.metadata["stop_time"] = 2.0
            elif finish == "error":
                task = self.worker.state.tasks[key]
                assert task.state == "error"
                assert task.exception is not None
                assert task.traceback is not None
                self.worker.parity_failures.append((key, task.exception_text, task.traceback_text, task.startstops))

    client.register_plugin(Noter())
    yield
    client.unregister_worker_plugin("parity-noter")


@pytest.mark.usefixtures("noting")
def test_plugins_of_workers_see_failures(client: Any) -> None:
    assert client.submit(fail, 1, key="parity-w-fails").exception(timeout=60) is not None
    seen = client.run(lambda dask_worker: dask_worker.parity_failures)
    ((key, text, trace, startstops),) = [each for failures in seen.values() for each in failures]
    assert (key, text) == ("parity-w-fails", "ValueError('no number')")
    assert "in fail" in trace
    assert [each["action"] for each in startstops] == ["compute"]


@pytest.mark.usefixtures("noting")
def test_notes_of_tasks_reach_the_scheduler(client: Any, lib: Any) -> None:
    with lib.get_task_metadata() as tasks:
        futures = client.map(inc, range(5), key="parity-w-noted")
        assert client.gather(futures) == [1, 2, 3, 4, 5]
    expected = {"start_time": 1.0, "stop_time": 2.0}
    assert {key: tasks.metadata[key] for key in (future.key for future in futures)} == {
        future.key: expected for future in futures
    }
    key = futures[0].key
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.tasks[key].metadata) == expected


@pytest.mark.usefixtures("noting")
def test_plugins_of_the_scheduler_are_told_what_was_noted(client: Any, watched: Callable[[], list[Any]]) -> None:
    future = client.submit(inc, 1, key="parity-t-noted")
    assert future.result(timeout=60) == 2
    ((told, seen),) = [found[4:] for found in watched() if found[2] == "memory"]
    assert told["metadata"] == seen["metadata"] == {"start_time": 1.0, "stop_time": 2.0}
