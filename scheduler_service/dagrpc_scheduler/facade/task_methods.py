"""Methods of `Scheduler` about tasks, results and metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_scheduler.core import events, model, views
from dagrpc_scheduler.facade.parts import SchedulerParts
from dagrpc_scheduler.shell.core_driver import CoreDriver


def get_who_has(self: SchedulerParts, keys: Iterable[Key] | None = None) -> dict[Key, list[str]]:
    """Return the addresses of the workers that hold results, by key; all results by default.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> cluster.scheduler.get_who_has(["x", "nobody"])
    {'x': ['127.0.0.1:...'], 'nobody': []}
    """
    found = self._home.call(views.who_has, self._core, _wire_keys(keys))
    return {decode_key(key): list(holders) for key, _, holders in found}


def get_nbytes(self: SchedulerParts, keys: Iterable[Key] | None = None, summary: bool = True) -> dict[Key, int]:
    """Return the sizes of results in bytes, by key, or summed up by kind of work if `summary`.

    Examples
    --------
    >>> futures = client.map(inc, range(2), key="y")
    >>> client.gather(futures)
    [1, 2]
    >>> cluster.scheduler.get_nbytes([future.key for future in futures])
    {'y': 56}
    """
    sizes = self._home.call(views.nbytes, self._core, _wire_keys(keys))
    if not summary:
        return {decode_key(key): size for key, size in sizes.items()}
    totals: Counter[Key] = Counter()
    for key, size in sizes.items():
        totals[self._core.tasks[key].group.prefix.name] += size
    return dict(totals)


def get_task_status(self: SchedulerParts, keys: Iterable[Key]) -> dict[Key, str | None]:
    """Return the states of tasks by key; None for tasks that are not known.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> cluster.scheduler.get_task_status(["x", "nobody"])
    {'x': 'memory', 'nobody': None}
    """
    tasks = self._core.tasks
    found = {key: tasks.get(encode_key(key)) for key in keys}
    return {key: None if task is None else task.state for key, task in found.items()}


def get_task_prefix_states(self: SchedulerParts) -> dict[str, dict[str, int]]:
    """Return the number of tasks in each state, by kind of work.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="z-1")
    >>> future.result()
    2
    >>> cluster.scheduler.get_task_prefix_states()["z"]["memory"]
    1
    """
    return self._home.call(views.prefix_counts, self._core)


def transition(self: SchedulerParts, key: Key, finish: str, stimulus_id: str = "", **kwargs: Any) -> None:
    """Bring a task into another state, as far as the scheduler's rules allow it.

    Parameters
    ----------
    key : key
        The task.
    finish : str
        ``"released"``: a task that is processing is assigned again, a failed task runs again.
        ``"forgotten"``: the task and all tasks that depend on it are cancelled.

    Raises
    ------
    KeyError
        If there is no such task.
    ValueError
        If the task cannot be brought into that state from outside.
    """
    self._home.call(_transition, self._service.driver, encode_key(key), finish, stimulus_id)


def _transition(driver: CoreDriver, key: str, finish: str, stimulus: str) -> None:
    """Bring a task into another state, on the event loop."""
    task = driver.core.tasks.get(key)
    if task is None:
        raise KeyError(key)
    stimulus = stimulus or driver.stimulus("transition")
    if finish == model.RELEASED and task.state == model.PROCESSING and task.processing_on is not None:
        driver.handle(events.TaskRescheduled(task.processing_on.address, key, task.run_id, stimulus))
    elif finish == model.RELEASED and task.state == model.ERRED:
        for client in task.wanted_by[:1]:
            driver.handle(events.KeysRetried(client.name, [key], stimulus))
    elif finish == model.FORGOTTEN and task.wanted_by:
        driver.handle(events.KeysCancelled(task.wanted_by[0].name, [key], True, "unknown", "", stimulus))
    elif finish != task.state:
        raise ValueError(f"Task {key!r} is {task.state}: it cannot be made {finish} from outside")


def get_metadata(self: SchedulerParts, keys: Sequence[Hashable], default: Any = None) -> Any:
    """Return the metadata that clients and tasks set under a path; `default` if there is none.

    Examples
    --------
    >>> cluster.scheduler.get_metadata(["nothing", "here"], default=0)
    0
    """
    try:
        return self._service.metadata.get(list(keys))
    except LookupError:
        return default


def set_metadata(self: SchedulerParts, keys: Sequence[Hashable], value: Any = None) -> None:
    """Set metadata under a path, for all clients and tasks to read.

    Examples
    --------
    >>> cluster.scheduler.set_metadata(["runs", "first"], 3)
    >>> client.get_metadata("runs")
    {'first': 3}
    """
    self._service.metadata.set(list(keys), value)


def _wire_keys(keys: Iterable[Key] | None) -> list[str] | None:
    return None if keys is None else [encode_key(key) for key in keys]
