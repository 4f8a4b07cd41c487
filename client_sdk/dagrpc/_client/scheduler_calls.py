"""Calls of the scheduler by the names of distributed's handlers, for `Client.scheduler` and `Worker.scheduler`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from dagrpc._client.client_core import core_of
from dagrpc._client.waiting import run_awaiting
from dagrpc._common.user_handlers import call_handler

_CALLS: dict[str, Callable[..., Any]] = {
    "identity": lambda client, n_workers=-1: client.scheduler_info(n_workers),
    "who_has": lambda client, keys=None: client.who_has(keys),
    "has_what": lambda client, workers=None: client.has_what(workers),
    "ncores": lambda client, workers=None: client.nthreads(workers),
    "nbytes": lambda client, keys=None, summary=False: client.nbytes(keys, summary),
    "processing": lambda client, workers=None: client.processing(workers),
    "call_stack": lambda client, keys=None: client.call_stack(keys=keys),
    "profile": lambda client, **options: client.profile(**options),
    "get_story": lambda client, keys_or_stimuli: client.story(*keys_or_stimuli),
    "get_metadata": lambda client, keys, default=None: client.get_metadata(keys, default),
    "set_metadata": lambda client, keys, value: client.set_metadata(keys, value),
    "events": lambda client, topic=None: client.get_events(topic),
    "log_event": lambda client, topic, msg: client.log_event(topic, msg),
    "get_logs": lambda client, n=None: client.get_scheduler_logs(n),
    "worker_logs": lambda client, n=None, workers=None, nanny=False: client.get_worker_logs(n, workers, nanny),
    "retire_workers": lambda client, **options: client.retire_workers(**options),
    "rebalance": lambda client, keys=None, workers=None: client.rebalance(keys, workers),
    "replicate": lambda client, keys, **options: client.replicate(keys, **options),
    "restart": lambda client, **options: client.restart(**options),
}
"""Handlers that are methods of clients. Called on dagrpc's loop, where the methods return awaitables."""


class SchedulerCalls:
    """The scheduler of a client or a worker, with its handlers as methods.

    The methods are coroutine functions with keyword arguments, for synchronous clients as well: ``who_has``,
    ``identity``, ``ncores`` and more, by the names of distributed. Any other name calls a handler of
    `Scheduler.handlers`, where plugins and functions of `Client.run_on_scheduler` can add handlers. Such calls take a
    scheduler that runs code of clients.

    Parameters
    ----------
    address : str
        Address of the scheduler.
    id : str
        Identity of the scheduler's process.
    client : callable
        Returns the client that makes the calls.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> client.sync(client.scheduler.who_has, keys=["x"])
    {'x': ('127.0.0.1:...',)}

    >>> def add_handler(dask_scheduler):
    ...     dask_scheduler.handlers["count"] = lambda state: sum(
    ...         task.state == state for task in dask_scheduler.tasks.values()
    ...     )
    >>> client.run_on_scheduler(add_handler)
    >>> client.sync(client.scheduler.count, state="memory")
    1
    """

    def __init__(self, address: str, id: str, client: Callable[[], Any]) -> None:
        self.address = address
        self.id = id
        self._client = client

    def __repr__(self) -> str:
        return f"<Scheduler: {self.address!r}>"

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        async def carry_out(client: Any, arguments: dict[str, Any]) -> Any:
            if name in _CALLS:
                return await _CALLS[name](client, **arguments)
            return await client.run_on_scheduler(call_handler, name, arguments)

        async def call(**arguments: Any) -> Any:
            # A worker makes its client when the first call needs it.
            client = await self._client()
            return await run_awaiting(core_of(client).on_loop(carry_out(client, arguments)))

        call.__name__ = call.__qualname__ = name
        return call
