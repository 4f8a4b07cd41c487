"""Methods of `Nanny` for its worker process and its plugins; the class binds these functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._common.server_status import Status
from dagrpc.plugins.base import plugin_name
from dagrpc_worker.nanny.nanny_settings import NannyFacade
from dagrpc_worker.nanny.worker_process import WorkerProcess

if TYPE_CHECKING:
    from dagrpc_worker.nanny.nanny_server import NannyService


def _started(self: NannyFacade) -> NannyService:
    if self._service is None:
        raise RuntimeError("The nanny has not started: await it first")
    return self._service


def process(self: NannyFacade) -> WorkerProcess | None:
    """The worker's process; None if there is none."""
    return self._service.process if self._service is not None else None


def pid(self: NannyFacade) -> int | None:
    """The worker's process id; None if there is no process."""
    return (self._service.pid or None) if self._service is not None else None


def worker_address(self: NannyFacade) -> str | None:
    """Where the worker serves; None while it is not part of the cluster."""
    return (self._service.worker_address or None) if self._service is not None else None


def worker_directory(self: NannyFacade) -> str | None:
    """The worker's directory for temporary files; None while there is no worker."""
    return (self._service.worker_directory or None) if self._service is not None else None


def is_alive(self: NannyFacade) -> bool:
    """Return whether there is a worker process."""
    return self._service is not None and self._service.pid != 0


async def instantiate(self: NannyFacade) -> Status:
    """Start the worker unless it runs, and wait until it has joined the cluster."""
    service = _started(self)

    async def start() -> None:
        await service.start_worker()
        await service.wait_joined(config.get_seconds("nanny.start-timeout") or 60.0)

    await self._home.awaiting(start())
    return self.status


async def kill(self: NannyFacade, timeout: float = 5.0, reason: str = "killed") -> None:
    """Stop the worker. The nanny stays, and `instantiate` starts another worker.

    Parameters
    ----------
    timeout : float
        Seconds that the process has to end before it is killed.
    """
    await self._home.awaiting(_started(self).stop_worker(timeout, reason))


async def restart(self: NannyFacade, timeout: float = 30.0, reason: str = "restart") -> str:
    """Stop the worker and start another. Returns ``"OK"``, or ``"timed out"``."""
    try:
        await self._home.awaiting(_started(self).restart(timeout, reason))
    except TimeoutError:
        return "timed out"
    return "OK"


async def plugin_add(self: NannyFacade, plugin: Any, name: str | None = None) -> dict[str, str]:
    """Set a plugin up on this nanny only. It replaces a plugin of the same name.

    The worker is restarted if the plugin's attribute ``restart`` is true.

    Parameters
    ----------
    plugin : NannyPlugin
        The plugin.
    name : str, optional
        The plugin's name; its attribute ``name`` by default.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
    ...     await nanny.plugin_add(NannyPlugin(), name="mine")
    ...     list(nanny.plugins)
    ...     await nanny.plugin_remove("mine")
    {'status': 'OK'}
    ['mine']
    {'status': 'OK'}
    """
    service = _started(self)
    await self._home.awaiting(service.plugin_host.add(name or plugin_name(plugin), plugin))
    await self._home.awaiting(service.restart_if_wanted(plugin))
    return {"status": "OK"}


async def plugin_remove(self: NannyFacade, name: str) -> dict[str, str]:
    """Tear a plugin down on this nanny only.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1) as nanny:
    ...     await nanny.plugin_remove("is not there")
    {'status': 'OK'}
    """
    await self._home.awaiting(_started(self).plugin_host.remove(name))
    return {"status": "OK"}
