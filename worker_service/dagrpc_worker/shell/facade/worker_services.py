"""Methods of `Worker` for the code of tasks and plugins: a client, the scheduler, events, plugins, files.

The class binds these functions as methods and attributes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dagrpc._common.keys import decode_key
from dagrpc.plugins.base import plugin_name
from dagrpc_worker.execute import task_context
from dagrpc_worker.shell.facade.worker_inspection import WorkerFacade

if TYPE_CHECKING:
    from dagrpc._client.scheduler_calls import SchedulerCalls
    from dagrpc.client import Client


def get_current_task(self: WorkerFacade) -> Any:
    """Return the key of the task that the caller is part of.

    Raises
    ------
    ValueError
        If the caller is not part of a task.

    Examples
    --------
    >>> client.submit(lambda: get_worker().get_current_task(), key="who").result()
    'who'
    """
    return decode_key(task_context.get_context().key)


async def plugin_add(self: WorkerFacade, plugin: Any, name: str | None = None) -> dict[str, str]:
    """Set a plugin up on this worker only. It replaces a plugin of the same name.

    Parameters
    ----------
    plugin : WorkerPlugin
        The plugin.
    name : str, optional
        The plugin's name; its attribute ``name`` by default.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     await worker.plugin_add(WorkerPlugin(), name="mine")
    ...     list(worker.plugins)
    ...     await worker.plugin_remove("mine")
    {'status': 'OK'}
    ['mine']
    {'status': 'OK'}
    """
    await self._home.awaiting(self._service.plugin_host.add(name or plugin_name(plugin), plugin))
    return {"status": "OK"}


async def plugin_remove(self: WorkerFacade, name: str) -> dict[str, str]:
    """Tear a plugin down on this worker only.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     await worker.plugin_add(WorkerPlugin(), name="mine")
    ...     await worker.plugin_remove("mine")
    {'status': 'OK'}
    {'status': 'OK'}
    """
    await self._home.awaiting(self._service.plugin_host.remove(name))
    return {"status": "OK"}


async def set_resources(self: WorkerFacade, **resources: float) -> None:
    """Change the amounts of abstract resources. The amounts of other resources stay.

    Raises
    ------
    ValueError
        If an amount is below 0.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     await worker.set_resources(GPU=2)
    ...     worker.identity()["resources"]
    {'GPU': 2...}
    """
    self._home.call(self._service.set_resources, resources)


def scheduler(self: WorkerFacade) -> SchedulerCalls:
    """The scheduler, with the calls that tasks and plugins can make."""
    return self._service.task_services.scheduler()


def client(self: WorkerFacade) -> Client:
    """The client that all tasks of this worker share; the first use makes it."""
    return self._service.task_services.get_client()


def get_client(self: WorkerFacade, timeout: float | None = None) -> Client:
    """Return the client that all tasks of this worker share; the first call makes it.

    Parameters
    ----------
    timeout : float, optional
        Seconds to try to reach the scheduler, if there is no client yet.

    Examples
    --------
    >>> client.submit(lambda: get_worker().get_client().submit(abs, -1).result()).result()
    1
    """
    return self._service.task_services.get_client(timeout)


def log_event(self: WorkerFacade, topic: str | Collection[str], msg: Any) -> None:
    """Log an event. From any thread. An event that a task logs arrives before the task's end does.

    Parameters
    ----------
    topic : str, or a list, tuple or set of str
        The topic, or several.
    msg : plain data
        None, booleans, numbers, text, bytes, and lists, tuples and dicts of those. To a dict the worker's address
        is added, as ``worker``.

    Raises
    ------
    TypeError
        If the message is something else.

    Examples
    --------
    >>> client.submit(lambda: get_worker().log_event("progress", {"step": 1})).result()
    """
    self._service.task_services.log_event(topic, msg)


async def upload_file(self: WorkerFacade, filename: str, data: str | bytes, load: bool = True) -> dict[str, Any]:
    """Write a file into the worker's directory, and import it if it is a Python file.

    Raises
    ------
    ValueError
        If the name has a directory.
    Exception
        If importing the file raises it.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     await worker.upload_file("numbers.txt", "1 2 3")
    {'status': 'OK', 'nbytes': 5}
    """
    from dagrpc.plugins import _files

    content = data.encode() if isinstance(data, str) else data
    await asyncio.to_thread(_files.place, self._service.record.local_directory, filename, content, load)
    return {"status": "OK", "nbytes": len(content)}
