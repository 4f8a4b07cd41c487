"""Base classes of plugins, one for each kind of process."""

from __future__ import annotations

import uuid
from typing import Any


class WorkerPlugin:
    """A plugin that runs in every worker.

    Derive a class, override methods, and give an object to `Client.register_plugin`. `setup` and `teardown` may be
    coroutine functions; plain functions run in a thread of their own and may take long.

    Attributes
    ----------
    name : str
        Name of the plugin. A plugin without a name gets a unique one.
    idempotent : bool
        Keep a registered plugin of the same name instead of replacing it.

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
        """Set up the plugin on a worker; on a new worker, before its first task.

        Parameters
        ----------
        worker : Worker
            The object that `get_worker` returns in tasks.
        """

    def teardown(self, worker: Any) -> Any:
        """Tear down the plugin when the worker closes, or when the plugin is removed or replaced."""

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        """Handle the transition of a task of the worker from one state to another.

        Called on the worker's event loop shortly after the transition: it must be quick. Errors are logged.

        Parameters
        ----------
        key : str, bytes, number or tuple
            The task.
        start, finish : str
            ``"released"``, ``"waiting"``, ``"ready"``, ``"constrained"``, ``"executing"``, ``"long-running"``,
            ``"memory"``, ``"error"``, ``"fetch"``, ``"flight"``, ``"missing"``, ``"cancelled"`` or ``"forgotten"``.
        **kwargs
            ``stimulus_id``, the cause as stories name it; later versions may add more.
        """


class NannyPlugin:
    """A plugin that runs in every nanny, the process that starts and watches a worker.

    `setup` and `teardown` may be coroutine functions; plain functions run in a thread of their own.

    Attributes
    ----------
    name : str
        Name of the plugin. A plugin without a name gets a unique one.
    idempotent : bool
        Keep a registered plugin of the same name instead of replacing it.
    restart : bool
        Restart the worker after the plugin's setup.

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
        """Set up the plugin on a nanny, before its worker joins the cluster."""

    def teardown(self, nanny: Any) -> Any:
        """Tear down the plugin when the nanny closes, or when the plugin is removed or replaced."""


class SchedulerPlugin:
    """A plugin that runs in the scheduler, if that allows user code.

    The methods are called on the scheduler's event loop: they must be quick. Errors are logged.

    Attributes
    ----------
    name : str
        Name of the plugin. A plugin without a name gets a unique one.
    idempotent : bool
        Keep a registered plugin of the same name instead of replacing it.

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
        """Start the plugin when it is registered. May be a coroutine function."""

    def before_close(self) -> Any:
        """Prepare for the scheduler's end, before it begins to close. May be a coroutine function."""

    def close(self) -> Any:
        """Clean up when the scheduler has closed. May be a coroutine function."""

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
        """Handle a new graph of tasks.

        Parameters
        ----------
        client : str
            Id of the client that submitted the graph.
        keys : set
            Keys of the tasks whose results the client wants.
        tasks : list
            Keys of all tasks.
        annotations : dict
            Annotations by name, then by key.
        priority : dict
            Priorities by key.
        stimulus_id : str
            The cause, as stories name it.
        **kwargs
            Later versions may add more.
        """

    def restart(self, scheduler: Any) -> None:
        """Handle a restart: all tasks are forgotten, and the workers restart."""

    def transition(self, key: Any, start: str, finish: str, *args: Any, stimulus_id: str, **kwargs: Any) -> None:
        """Handle the transition of a task from one state to another.

        Parameters
        ----------
        key : str, bytes, number or tuple
            The task.
        start, finish : str
            ``"released"``, ``"waiting"``, ``"no-worker"``, ``"queued"``, ``"processing"``, ``"memory"``, ``"erred"`` or
            ``"forgotten"``.
        stimulus_id : str
            The cause, as stories name it.
        **kwargs
            ``worker``, where there is one; later versions may add more.
        """

    def add_worker(self, scheduler: Any, worker: str) -> Any:
        """Handle a new worker, given by its address. May be a coroutine function."""

    def remove_worker(self, scheduler: Any, worker: str, *, stimulus_id: str, **kwargs: Any) -> Any:
        """Handle the departure of a worker, given by its address. May be a coroutine function."""

    def add_client(self, scheduler: Any, client: str) -> None:
        """Handle a new client, given by its id."""

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Handle the departure of a client, given by its id."""

    def log_event(self, topic: str, msg: Any) -> None:
        """Handle an event that was logged under a topic."""

    def valid_workers_downscaling(self, scheduler: Any, workers: list[Any]) -> list[Any]:
        """Return the workers among `workers` that may be retired when the cluster shrinks."""
        return workers


def plugin_name(plugin: Any) -> str:
    """Return the name of a plugin, or a unique name if it has none.

    Examples
    --------
    >>> class Named(WorkerPlugin):
    ...     name = "me"
    >>> plugin_name(Named())
    'me'
    """
    return str(getattr(plugin, "name", None) or f"{type(plugin).__name__}-{uuid.uuid4()}")


def overrides(plugin: Any, base: type, method: str) -> bool:
    """Return whether a plugin overrides a method of its base class.

    Examples
    --------
    >>> overrides(WorkerPlugin(), WorkerPlugin, "transition")
    False
    """
    own = getattr(plugin, method, None)
    return own is not None and getattr(own, "__func__", own) is not getattr(base, method)
