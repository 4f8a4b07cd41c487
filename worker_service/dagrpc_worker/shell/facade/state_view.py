"""What users see of a worker's tasks and data, by the names that distributed has for it."""

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
from dagrpc_worker.shell.session.translate_out import failure_of

if TYPE_CHECKING:
    from dagrpc.v1 import failure_pb2
    from dagrpc_worker.core.story import Entry
    from dagrpc_worker.core.views import WorkerView
    from dagrpc_worker.shell.plugins.transition_watch import Noted, TransitionWatch
    from dagrpc_worker.shell.service import WorkerService


class WorkerStateView:
    """A worker's state: `Worker.state`. What it shows is so at the moment of asking.

    Beside what is named here it has the counts of the core: ``executing_count``, ``ready_count``, ``waiting_count``,
    ``fetch_count``, ``long_running_count``, ``in_memory_count``, and ``story(*keys)``.
    """

    def __init__(self, service: WorkerService) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._core, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._core) if not name.startswith("_"))})

    @property
    def _core(self) -> WorkerView:
        return self._service.state

    @property
    def address(self) -> str:
        """The worker's."""
        return self._service.address

    @property
    def nthreads(self) -> int:
        """How many tasks it runs at once."""
        return self._service.record.nthreads

    @property
    def running(self) -> bool:
        """Whether it begins tasks: it does not while it is paused."""
        return not self._core.paused

    @property
    def nbytes(self) -> int:
        """Size of the results that it holds, in bytes."""
        return self._core.stored_nbytes

    @property
    def in_flight_tasks_count(self) -> int:
        """How many results are on their way here."""
        return self._core.in_flight_count

    @property
    def transfer_incoming_count(self) -> int:
        """How many transfers from other workers are under way."""
        return self._core.gathers

    @property
    def transfer_incoming_bytes(self) -> int:
        """How many bytes they bring."""
        return self._core.gathers_nbytes

    @property
    def total_resources(self) -> dict[str, float]:
        """Abstract resources that there are, by name."""
        return self._core.resources_total()

    @property
    def available_resources(self) -> dict[str, float]:
        """What is free of them."""
        used = self._core.resources_used()
        return {name: amount - used.get(name, 0.0) for name, amount in self.total_resources.items()}

    def story(self, *keys_or_stimuli: Any) -> list[tuple[Any, ...]]:
        """Return what happened to tasks, or on account of something: key, states, stimulus and time of each."""
        found = self._core.story_of([encode_key(each) for each in keys_or_stimuli])
        return [told_as(entry) for entry in found]

    @property
    def data(self) -> Mapping[Key, Any]:
        """The results that it holds, by key."""
        return Held(self._service.data)

    @property
    def actors(self) -> Mapping[Key, Any]:
        """The actors that live here, by key."""
        return self._service.actors

    @property
    def tasks(self) -> Mapping[Key, WorkerTask]:
        """What it knows of tasks, by key."""
        return _Tasks(self._service)


def told_as(entry: Entry) -> tuple[Any, ...]:
    """Return a transition as users know it: key, state, the one wanted, the one reached, none, stimulus and time."""
    key, start, finish, stimulus, when = entry
    return decode_key(key), start, finish, finish, {}, stimulus, when


class WorkerTask:
    """A task as a worker knew it when it was asked.

    What needs to be noted on purpose is there while a plugin of the worker watches transitions: when its execution
    began and ended, and why it failed.

    Attributes
    ----------
    key : key
        Its key.
    state : str
        ``"executing"``, ``"memory"``, ``"flight"``, ...
    priority : tuple
        Lower is earlier.
    nbytes : int
        Size of its result in bytes, also where that is elsewhere; 0 if it is not known.
    who_has : set of str
        Workers that are said to hold its result.
    dependencies, dependents : set
        Keys of the tasks that it uses, and of those on this worker that use it.
    waiting_for_data, waiters : set
        Keys of the tasks whose results it waits for, and of those on this worker that wait for others as well.
    coming_from : str or None
        The worker that its result is on its way from.
    run_id : int
        The run that is wanted, or that its result is the end of; -1: none.
    type : type or None
        The type of its result, if it was computed here and the type is known here.
    done : bool
        Whether its result is here.
    annotations : dict
        What it was annotated with, until its run has ended.
    resource_restrictions : dict of str to float
        What it takes of abstract resources, likewise.
    start_time, stop_time : float or None
        When its execution began and ended, in seconds since the epoch.
    startstops : list of dict
        What was done for it: dicts of ``action``, ``start`` and ``stop``.
    suspicious_count : int
        How many workers died while they ran it: only the scheduler knows, so 0.
    prefix : str
        The kind of work that it is.
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
        """What plugins and tasks note about it. When it has been run, the scheduler is told, if it is plain data.

        It is forgotten with the task. There it is ``TaskState.metadata``, and `get_task_metadata` returns it.
        """
        return {} if self._watch is None else self._watch.note(self._wire).metadata

    @property
    def exception(self) -> BaseException | None:
        """Why it failed."""
        failure = self._failure()
        return None if failure is None else decode_failure(failure, str(self.key))

    @property
    def traceback(self) -> TracebackType | None:
        """Where it failed."""
        error = self.exception
        return None if error is None else error.__traceback__

    @property
    def exception_text(self) -> str:
        """Why it failed, in words."""
        failure = self._failure()
        return "" if failure is None else exception_text(failure)

    @property
    def traceback_text(self) -> str:
        """Where it failed, as text."""
        failure = self._failure()
        return "" if failure is None else failure.traceback_text

    def _failure(self) -> failure_pb2.Failure | None:
        return None if self._end is None else failure_of(self._end)

    def __repr__(self) -> str:
        return f"<WorkerTask {self.key!r} {self.state}>"


def _loaded_type(name: str) -> type | None:
    """Return a type by its name, if its module was imported here."""
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return found if isinstance(found, type) else None


def _parsed(annotations: str) -> dict[str, Any]:
    """Return annotations, which come as JSON; those of another client may be anything."""
    try:
        found = json.loads(annotations or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"annotations": annotations}


class _Tasks(Mapping[Key, WorkerTask]):
    __slots__ = ("_core", "_watch")

    def __init__(self, service: WorkerService) -> None:
        self._core = service.state
        self._watch = service.plugin_host.watch

    def __getitem__(self, key: Key) -> WorkerTask:
        wire = encode_key(key)
        description = self._core.describe(wire)
        noted = self._watch.noted(wire) if self._watch is not None else None
        state = description["state"] if description is not None else ""
        if self._watch is not None and self._watch.told is not None and self._watch.told[0] == wire:
            # A plugin is being told that it got there, and it may have got further, or be gone.
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
    """The results that a worker holds, under users' keys."""

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
