"""What plugins derive from: one class for each kind of process."""

from __future__ import annotations

import uuid
from typing import Any


class WorkerPlugin:
    """Runs in every worker.

    Derive from it, overriding what is needed, and give an object to `Client.register_plugin`. `setup` and `teardown`
    may be coroutine functions; those that are not run in a thread of their own, so that they may take their time.

    Attributes
    ----------
    name : str
        What the plugin is called. One without a name gets one that is its own.
    idempotent : bool
        Whether to keep one of the same name that is registered already, instead of replacing it.

    Examples
    --------
    >>> class Connected(WorkerPlugin):
    ...     name = "database"
    ...
    ...     def setup(self, worker):
    ...         worker.database = "a connection"
    ...
    ...     def teardown(self, worker):
    ...         del worker.database
    >>> client.register_plugin(Connected())
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> client.submit(lambda: get_worker().database).result()
    'a connection'
    >>> client.unregister_worker_plugin("database")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """

    name: str | Any = None
    idempotent: bool = False

    def setup(self, worker: Any) -> Any:
        """Do what is to be done when the plugin comes to a worker: before its first task, if it is new.

        Parameters
        ----------
        worker : worker
            What `get_worker` returns within its tasks.
        """

    def teardown(self, worker: Any) -> Any:
        """Do what is to be done when the worker closes, or the plugin is removed or replaced."""

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Take note that a task of the worker got from one state into another.

        Called on the worker's event loop, shortly after it happened: it must be quick. If it raises, that is logged.

        Parameters
        ----------
        key : str, bytes, number or tuple
            The task.
        start, finish : str
            ``"released"``, ``"waiting"``, ``"ready"``, ``"constrained"``, ``"executing"``, ``"long-running"``,
            ``"memory"``, ``"error"``, ``"fetch"``, ``"flight"``, ``"missing"``, ``"cancelled"`` or ``"forgotten"``.
        **kwargs
            ``stimulus_id``: what stories call the cause; and more to come.
        """


class NannyPlugin:
    """Runs in every nanny: the process that starts a worker and watches over it. Workers without one do without it.

    `setup` and `teardown` may be coroutine functions; those that are not run in a thread of their own.

    Attributes
    ----------
    name : str
        What the plugin is called. One without a name gets one that is its own.
    idempotent : bool
        Whether to keep one of the same name that is registered already, instead of replacing it.
    restart : bool
        Whether the worker is started anew once the plugin is set up.

    Examples
    --------
    >>> import os
    >>> class Quiet(NannyPlugin):
    ...     restart = True
    ...
    ...     def setup(self, nanny):
    ...         nanny.env["QUIET"] = "yes"
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     outcome = client.register_plugin(Quiet())
    ...     client.submit(os.getenv, "QUIET").result()
    'yes'
    """

    name: str | Any = None
    idempotent: bool = False
    restart: bool = False

    def setup(self, nanny: Any) -> Any:
        """Do what is to be done when the plugin comes to a nanny: before its worker joins the cluster."""

    def teardown(self, nanny: Any) -> Any:
        """Do what is to be done when the nanny closes, or the plugin is removed or replaced."""


class SchedulerPlugin:
    """Runs in the scheduler, if that was started with user code allowed.

    Its methods are called on the scheduler's event loop: they must be quick. Those that raise are logged.

    Attributes
    ----------
    name : str
        What the plugin is called. One without a name gets one that is its own.
    idempotent : bool
        Whether to keep one of the same name that is registered already, instead of replacing it.

    Examples
    --------
    >>> class Counter(SchedulerPlugin):
    ...     def start(self, scheduler):
    ...         self.count = 0
    ...
    ...     def transition(self, key, start, finish, *args, stimulus_id, **kwargs):
    ...         self.count += finish == "memory"
    >>> client.register_plugin(Counter(), name="counter")
    >>> client.gather(client.map(inc, range(3)))
    [1, 2, 3]
    >>> client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.plugins["counter"].count)
    3
    >>> client.unregister_scheduler_plugin("counter")
    """

    name: str | Any = None
    idempotent: bool = False

    def start(self, scheduler: Any) -> Any:
        """Do what is to be done when the plugin is registered. May be a coroutine function."""

    def before_close(self) -> Any:
        """Do what is to be done before the scheduler begins to close. May be a coroutine function."""

    def close(self) -> Any:
        """Do what is to be done when the scheduler has closed. May be a coroutine function."""

    def update_graph(
        self,
        scheduler: Any,
        *,
        client: str,
        keys: set[Any],
        tasks: list[Any],
        annotations: dict[str, dict[Any, Any]],
        priority: dict[Any, tuple[float, ...]],
        stimulus_id: str,
        **kwargs: Any,
    ) -> None:
        """Take note of new tasks.

        Parameters
        ----------
        client : str
            Id of the client that submitted them.
        keys : set
            Keys of those that the client wants the results of.
        tasks : list
            Keys of all of them.
        annotations : dict
            By name of an annotation, then by key.
        priority : dict
            By key.
        stimulus_id : str
            What stories call the cause.
        **kwargs
            More to come.
        """

    def restart(self, scheduler: Any) -> None:
        """Take note that all tasks are forgotten and the workers restarted."""

    def transition(self, key: Any, start: str, finish: str, *args: Any, stimulus_id: str, **kwargs: Any) -> None:
        """Take note that a task got from one state into another.

        Parameters
        ----------
        key : str, bytes, number or tuple
            The task.
        start, finish : str
            ``"released"``, ``"waiting"``, ``"no-worker"``, ``"queued"``, ``"processing"``, ``"memory"``, ``"erred"`` or
            ``"forgotten"``.
        stimulus_id : str
            What stories call the cause.
        **kwargs
            ``worker``, where there is one, and more to come.
        """

    def add_worker(self, scheduler: Any, worker: str) -> Any:
        """Take note that a worker, given by its address, has joined. May be a coroutine function."""

    def remove_worker(self, scheduler: Any, worker: str, *, stimulus_id: str, **kwargs: Any) -> Any:
        """Take note that a worker, given by its address, has left. May be a coroutine function."""

    def add_client(self, scheduler: Any, client: str) -> None:
        """Take note that a client, given by its id, has connected."""

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Take note that a client, given by its id, has left."""

    def log_event(self, topic: str, msg: Any) -> None:
        """Take note of an event."""

    def valid_workers_downscaling(self, scheduler: Any, workers: list[Any]) -> list[Any]:
        """Return those of some workers that may be taken out when the cluster shrinks."""
        return workers


def plugin_name(plugin: Any) -> str:
    """Return what a plugin is called; a name of its own if it has none.

    Examples
    --------
    >>> class Named(WorkerPlugin):
    ...     name = "me"
    >>> plugin_name(Named())
    'me'
    """
    return str(getattr(plugin, "name", None) or f"{type(plugin).__name__}-{uuid.uuid4()}")


def overrides(plugin: Any, base: type, method: str) -> bool:
    """Tell whether a plugin has more than its base class's empty method.

    Examples
    --------
    >>> overrides(WorkerPlugin(), WorkerPlugin, "transition")
    False
    """
    own = getattr(plugin, method, None)
    return own is not None and getattr(own, "__func__", own) is not getattr(base, method)
