"""Methods of `Scheduler` that act on workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._codec import calls
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.facade.parts import SchedulerParts
from dagrpc_scheduler.facade.worker_methods import workers_to_close
from dagrpc_scheduler.shell.workers.named_workers import named_workers

_RESTART_TIMEOUT = 120.0
_OPERATIONS = ("run", "identity", "terminate")


async def broadcast(
    self: SchedulerParts,
    *,
    msg: Mapping[str, Any],
    workers: Iterable[str] | None = None,
    hosts: Iterable[str] | None = None,
    nanny: bool = False,
    on_error: str = "raise",
) -> dict[str, Any]:
    """Call an operation on workers, or on their nannies, all at once.

    Parameters
    ----------
    msg : mapping
        ``{"op": "run", "function": f, "args": (), "kwargs": {}}``, ``{"op": "identity"}`` or
        ``{"op": "terminate"}``.
    workers, hosts : iterable of str, optional
        Addresses or names, and hosts; all workers by default.
    nanny : bool
        Whether to run a function on the nannies.
    on_error : str
        What to do if a worker cannot be called: ``"raise"``, ``"return"`` the exception, or ``"ignore"`` it.

    Returns
    -------
    dict
        Answers by address.
    """
    chosen = None if workers is None and hosts is None else [*(workers or ()), *(hosts or ())]
    return await self._home.awaiting(_broadcast(self, msg, chosen, nanny, on_error))


async def _broadcast(
    self: SchedulerParts, message: Mapping[str, Any], workers: list[str] | None, nanny: bool, on_error: str
) -> dict[str, Any]:
    operation = message.get("op")
    if operation not in _OPERATIONS:
        raise ValueError(f"broadcast knows the operations {', '.join(_OPERATIONS)}; got msg with op={operation!r}")
    if on_error not in ("raise", "return", "ignore"):
        raise ValueError(f"on_error is {on_error!r}; it must be 'raise', 'return' or 'ignore'")
    addresses = _chosen(self, workers)
    if operation == "identity":
        return {address: self.workers[address].identity() for address in addresses}
    if operation == "terminate":
        _close(self, addresses)
        return dict.fromkeys(addresses, "OK")
    function = calls.encode_call_request(message["function"], message.get("args", ()), message.get("kwargs"))
    results = await self._service.worker_runs.run(addresses, function, nanny=nanny, wait=message.get("wait", True))
    answers = {}
    for result in results:
        try:
            answers[result.worker] = calls.result_of(result)
        except Exception as error:
            if on_error == "raise":
                raise
            if on_error == "return":
                answers[result.worker] = error
    return answers


async def close_worker(self: SchedulerParts, worker: str) -> None:
    """Close a worker; its nanny closes with it.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     await scheduler.close_worker(worker.address)
    ...     await worker.finished()
    """
    self._home.call(_close, self, named_workers(self._core, [worker]))


def _close(self: SchedulerParts, addresses: Iterable[str]) -> None:
    for address in addresses:
        self._service.driver.send(CloseWorker(address, "the scheduler closes it"))


async def retire_workers(
    self: SchedulerParts,
    workers: Iterable[str] | None = None,
    *,
    names: Iterable[Any] | None = None,
    close_workers: bool = False,
    remove: bool = True,
    stimulus_id: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Retire workers: results that only they hold move to other workers, then they close.

    Parameters
    ----------
    workers : iterable of str, optional
        Addresses. By default those that `workers_to_close` returns for `kwargs`.
    names : iterable, optional
        Names of workers, instead of addresses.
    close_workers, remove : bool
        If both are false, the workers stay without getting tasks, and other workers have copies of their results.

    Returns
    -------
    dict
        The identities of the retired workers, by address, once they are gone. Workers whose results cannot be moved
        stay and are left out.
    """
    if workers is not None and names is not None:
        raise TypeError("Both workers and names select the workers to retire; give one of them")
    if workers is None and names is None:
        chosen = workers_to_close(self, **{**kwargs, "attribute": "address"})
    else:
        chosen = [str(each) for each in (workers if workers is not None else names) or ()]
    return await self._home.awaiting(_retire(self, chosen, close_workers or remove))


async def _retire(self: SchedulerParts, workers: Iterable[str], close: bool) -> dict[str, Any]:
    addresses: list[str] = []
    for text in workers:
        try:
            addresses += named_workers(self._core, [text])
        except ValueError:
            # The worker has left already, as it should.
            continue
    if not addresses:
        return {}
    identities = {address: self.workers[address].identity() for address in addresses}
    retired = await self._service.retirement.retire(addresses, close=close)
    return {address: identities[address] for address in retired}


async def restart(
    self: SchedulerParts, *, timeout: float | str | None = None, wait_for_workers: bool = True, **kwargs: Any
) -> dict[str, str]:
    """Forget all tasks and restart all workers. Returns the outcome for each worker.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Nanny(scheduler.address, name="alice") as nanny:
    ...     await scheduler.restart(timeout="30 s")
    {'127.0.0.1:...': 'OK'}
    """
    return await _restart(self, None, timeout, wait_for_workers)


async def restart_workers(
    self: SchedulerParts,
    workers: Iterable[str],
    *,
    timeout: float | str | None = None,
    wait_for_workers: bool = True,
    **kwargs: Any,
) -> dict[str, str]:
    """Restart workers given by address or name; their tasks run elsewhere. Returns the outcome for each worker.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Nanny(scheduler.address, name="alice") as nanny:
    ...     await scheduler.restart_workers(["alice"], timeout="30 s")
    {'127.0.0.1:...': 'OK'}
    """
    return await _restart(self, list(workers), timeout, wait_for_workers)


async def _restart(
    self: SchedulerParts, workers: list[str] | None, timeout: float | str | None, wait: bool
) -> dict[str, str]:
    """Restart workers; for None, restart all workers and forget all tasks."""
    restarting = self._service.worker_restarts.restart(
        _chosen(self, workers),
        forget_tasks=workers is None,
        timeout=config.seconds(timeout) or _RESTART_TIMEOUT,
        wait=wait,
    )
    return await self._home.awaiting(restarting)


def _chosen(self: SchedulerParts, workers: list[str] | None) -> list[str]:
    """Return the addresses of workers; of all workers for None."""
    return [] if workers is not None and not workers else named_workers(self._core, workers or ())
