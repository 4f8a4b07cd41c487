"""A worker's tasks and results as users see them, under the names of distributed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dask.utils import key_split

from dagrpc._codec.failure_text import exception_text
from dagrpc._codec.failures import decode_failure
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_worker.shell.facade.attribute import Attribute
from dagrpc_worker.shell.session.translate_out import failure_of

if TYPE_CHECKING:
    from dagrpc.v1 import failure_pb2
    from dagrpc_worker.core.story import Entry
    from dagrpc_worker.core.views import WorkerView
    from dagrpc_worker.shell.plugins.transition_watch import Noted, TransitionWatch
    from dagrpc_worker.shell.service import WorkerService


class WorkerStateView:
    """The state of a worker: `Worker.state`. Each attribute shows the present."""

    def __init__(self, service: WorkerService) -> None:
        self._service = service

    address = Attribute[str]("record.address", "The worker's address.")
    nthreads = Attribute[int]("record.nthreads", "Number of tasks that run at once.")
    executing_count = Attribute[int]("state.executing_count", "Number of tasks that were handed to the threads.")
    ready_count = Attribute[int]("state.ready_count", "Number of tasks that wait for a thread or for resources only.")
    waiting_count = Attribute[int]("state.waiting_count", "Number of tasks that wait for dependencies.")
    long_running_count = Attribute[int]("state.long_running_count", "Number of tasks that run outside of their pools.")
    fetch_count = Attribute[int]("state.fetch_count", "Number of results that wait to be fetched.")
    in_flight_tasks_count = Attribute[int]("state.in_flight_count", "Number of results that are being transferred.")
    in_memory_count = Attribute[int]("state.in_memory_count", "Number of results in memory.")
    nbytes = Attribute[int]("state.stored_nbytes", "Bytes of the results that the worker holds.")
    transfer_incoming_count = Attribute[int]("state.gathers", "Number of transfers from other workers under way.")
    transfer_incoming_bytes = Attribute[int]("state.gathers_nbytes", "Bytes of the transfers from other workers.")
    actors = Attribute[Mapping[Key, Any]]("actors", "The actors of the worker, by key.")

    @property
    def running(self) -> bool:
        """Whether the worker begins tasks; it does not while it is paused."""
        return not self._service.state.paused

    @property
    def total_resources(self) -> dict[str, float]:
        """The amounts of abstract resources that the worker offers, by name."""
        return self._service.state.resources_total()

    @property
    def available_resources(self) -> dict[str, float]:
        """The amounts of abstract resources that are free, by name."""
        used = self._service.state.resources_used()
        return {name: amount - used.get(name, 0.0) for name, amount in self.total_resources.items()}

    def story(self, *keys_or_stimuli: Any) -> list[tuple[Any, ...]]:
        """Return the transitions of tasks, or those that stimuli have caused; see `Worker.get_story`."""
        found = self._service.state.story_of([encode_key(each) for each in keys_or_stimuli])
        return [told_as(entry) for entry in found]

    @property
    def data(self) -> Mapping[Key, Any]:
        """The results that the worker holds, by key."""
        return Held(self._service.data)

    @property
    def tasks(self) -> Mapping[Key, WorkerTask]:
        """The tasks that the worker knows, by key."""
        return _Tasks(self._service.state, self._service.plugin_host.watch)


def told_as(entry: Entry) -> tuple[Any, ...]:
    """Return a transition as users know it: key, state before, state wanted, state reached, {}, stimulus, time."""
    key, start, finish, stimulus, when = entry
    return decode_key(key), start, finish, finish, {}, stimulus, when


class WorkerTask:
    """A task as its worker knew it when it was asked.

    Start, stop and failure of an execution are recorded only while a plugin of the worker watches transitions.

    Attributes
    ----------
    key : key
        The task's key.
    state : str
        ``"executing"``, ``"memory"``, ``"flight"``, ...
    priority : tuple
        The lowest runs first.
    nbytes : int
        Size of the result in bytes, wherever the result is; 0 if it is unknown.
    who_has : set of str
        Workers that hold the result, as far as is known.
    dependencies, dependents : set
        Keys of the tasks that it uses, and of the tasks of this worker that use it.
    waiting_for_data, waiters : set
        Keys of the tasks whose results it waits for, and of the waiting tasks of this worker that use it.
    coming_from : str or None
        The worker that the result is being transferred from.
    run_id : int
        The requested run, or the run that made the result; -1: none.
    type : type or None
        The type of the result, if it was computed on this worker and its module is imported.
    done : bool
        Whether the result is on this worker.
    annotations : dict
        The task's annotations, until its run has ended.
    resource_restrictions : dict of str to float
        Amounts of abstract resources that its run needs, until the run has ended.
    start_time, stop_time : float or None
        Start and stop of its execution, in seconds since the epoch.
    startstops : list of dict
        The activities of its execution: dicts of ``action``, ``start`` and ``stop``.
    suspicious_count : int
        Number of workers that died while they ran it; 0, since only the scheduler knows it.
    prefix : str
        The prefix of the key.
    """

    __slots__ = (
        "_end",
        "_watch",
        "_wire",
        "annotations",
        "coming_from",
        "dependencies",
        "dependents",
        "done",
        "key",
        "nbytes",
        "prefix",
        "priority",
        "resource_restrictions",
        "run_id",
        "start_time",
        "startstops",
        "state",
        "stop_time",
        "suspicious_count",
        "type",
        "waiters",
        "waiting_for_data",
        "who_has",
    )

    def __init__(
        self,
        description: Mapping[str, Any],
        state: str,
        noted: Noted | None = None,
        watch: TransitionWatch | None = None,
    ) -> None:
        self._wire: str = description["key"]
        self._watch = watch
        self.key = decode_key(self._wire)
        self.prefix = key_split(self.key)
        self.state = state
        self.priority = description["priority"]
        self.nbytes: int = description["nbytes"]
        self.who_has = set(description["holders"])
        self.dependencies = set(map(decode_key, description["dependencies"]))
        self.dependents = set(map(decode_key, description["dependents"]))
        self.waiting_for_data = set(map(decode_key, description["waiting_for_data"]))
        self.waiters = set(map(decode_key, description["waiters"]))
        self.coming_from: str | None = description["peer"] or None
        self.run_id: int = description["run_id"] if description["run_id"] >= 0 else description["made_by"] or -1
        self.type = _loaded_type(description["type_name"])
        self.done = self.state in ("memory", "error")
        self.start_time = noted.start_time if noted is not None else None
        self.stop_time = noted.stop_time if noted is not None else None
        self.startstops = list(noted.startstops) if noted is not None else []
        self.suspicious_count = 0
        self._end = noted.end if noted is not None else None
        self.annotations = _parsed(description["annotations"])
        self.resource_restrictions: dict[str, float] = description["resources"]

    @property
    def metadata(self) -> dict[str, Any]:
        """Notes of plugins and tasks about this task, for as long as the worker knows the task.

        If they are plain data, the scheduler gets them when the task has run: they are its ``TaskState.metadata``, and
        `get_task_metadata` returns them.
        """
        return {} if self._watch is None else self._watch.note(self._wire).metadata

    @property
    def exception(self) -> BaseException | None:
        """The exception of the failed task."""
        failure = self._failure()
        return None if failure is None else decode_failure(failure, str(self.key))

    @property
    def traceback(self) -> TracebackType | None:
        """The traceback of the failed task."""
        error = self.exception
        return None if error is None else error.__traceback__

    @property
    def exception_text(self) -> str:
        """The exception as text."""
        failure = self._failure()
        return "" if failure is None else exception_text(failure)

    @property
    def traceback_text(self) -> str:
        """The traceback as text."""
        failure = self._failure()
        return "" if failure is None else failure.traceback_text

    def _failure(self) -> failure_pb2.Failure | None:
        return None if self._end is None else failure_of(self._end)

    def __repr__(self) -> str:
        return f"<WorkerTask {self.key!r} {self.state}>"


def _loaded_type(name: str) -> type | None:
    """Return a type by its name, if its module is imported."""
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return found if isinstance(found, type) else None


def _parsed(annotations: str) -> dict[str, Any]:
    """Return annotations from JSON. Clients in other languages may send any text."""
    try:
        found = json.loads(annotations or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"annotations": annotations}


class _Tasks(Mapping[Key, WorkerTask]):
    __slots__ = ("_core", "_watch")

    def __init__(self, core: WorkerView, watch: TransitionWatch | None) -> None:
        self._core = core
        self._watch = watch

    def __getitem__(self, key: Key) -> WorkerTask:
        wire = encode_key(key)
        description = self._core.describe(wire)
        noted = self._watch.noted(wire) if self._watch is not None else None
        state = description["state"] if description is not None else ""
        if self._watch is not None and self._watch.told is not None and self._watch.told[0] == wire:
            # A plugin is being called with this state; the task may have reached another one, or be forgotten.
            state = self._watch.told[1]
            description = description or (noted.description if noted is not None else None)
        if description is None:
            raise KeyError(key)
        return WorkerTask(description, state, noted, self._watch)

    def __iter__(self) -> Iterator[Key]:
        return map(decode_key, self._core.managed_keys())

    def __len__(self) -> int:
        return len(self._core.managed_keys())

    def __repr__(self) -> str:
        return repr(list(self.values()))


class Held(Mapping[Key, Any]):
    """The results of a worker, under users' keys."""

    __slots__ = ("_store",)

    def __init__(self, store: Mapping[str, Any]) -> None:
        self._store = store

    def __getitem__(self, key: Key) -> Any:
        try:
            return self._store[encode_key(key)]
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[Key]:
        return map(decode_key, self._store)

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        return f"<{len(self)} results of a worker: {', '.join(map(repr, islice(self, 5)))}{', ...' * (len(self) > 5)}>"
