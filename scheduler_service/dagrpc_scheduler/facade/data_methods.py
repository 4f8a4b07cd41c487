"""Methods of `Scheduler` that copy and move results."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_scheduler.facade.parts import SchedulerParts
from dagrpc_scheduler.shell.workers.named_workers import named_workers


async def rebalance(
    self: SchedulerParts,
    keys: Iterable[Key] | None = None,
    workers: Iterable[str] | None = None,
    stimulus_id: str | None = None,
) -> dict[str, Any]:
    """Move results until the workers use about equally much memory.

    Parameters
    ----------
    keys : iterable of keys, optional
        Results that may move; all by default.
    workers : iterable of str, optional
        Addresses or names of the workers; all by default.

    Returns
    -------
    dict
        ``{"status": "OK"}``, or ``{"status": "partial-fail", "keys": [...]}`` with the keys of results that are not in
        memory or did not move.

    Raises
    ------
    KeyError
        If there is no such worker.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address), Worker(scheduler.address):
    ...     await scheduler.rebalance(), await scheduler.rebalance(keys=["nobody"])
    ({'status': 'OK'}, {'status': 'partial-fail', 'keys': ['nobody']})
    """
    wire_keys = None if keys is None else [encode_key(key) for key in keys]
    if wire_keys is not None and not wire_keys:
        return {"status": "OK"}
    chosen = _addresses(self, workers)
    rebalancing = self._service.replication.rebalance(wire_keys, chosen, stimulus_id or "rebalance")
    failed = await self._home.awaiting(rebalancing)
    return {"status": "partial-fail", "keys": [decode_key(key) for key in failed]} if failed else {"status": "OK"}


async def replicate(
    self: SchedulerParts,
    keys: Collection[Key],
    n: int | None = None,
    workers: Iterable[str] | None = None,
    branching_factor: int = 2,
    delete: bool = True,
    stimulus_id: str | None = None,
) -> dict[str, Any] | None:
    """Copy results to more workers.

    Parameters
    ----------
    keys : collection of keys
        The results.
    n : int, optional
        How many workers are to hold each result; all by default.
    workers : iterable of str, optional
        Addresses or names of the workers that may hold copies; all by default.
    branching_factor : int
        How many workers fetch a result from the same worker at a time.
    delete : bool
        Whether copies beyond `n` are dropped.

    Returns
    -------
    dict or None
        ``{"status": "partial-fail", "keys": [...]}`` with the keys of results that are not in memory; None if all are.

    Raises
    ------
    ValueError
        If `n` is less than 1.
    KeyError
        If there is no such worker.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address), Worker(scheduler.address):
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         future = await client.scatter(123)
    ...         await scheduler.replicate([future.key])
    ...         len(scheduler.tasks[future.key].who_has)
    2
    """
    if n is not None and n < 1:
        raise ValueError("Can not use replicate to delete data")
    wire_keys = [encode_key(key) for key in keys]
    chosen = _addresses(self, workers)
    replicating = self._service.replication.replicate(
        wire_keys, n or 0, chosen, branching=branching_factor, delete=delete
    )
    missing = await self._home.awaiting(replicating)
    return {"status": "partial-fail", "keys": [decode_key(key) for key in missing]} if missing else None


def _addresses(self: SchedulerParts, workers: Iterable[str] | None) -> list[str]:
    """Return the addresses of workers, which may be given with a scheme; of all workers for None."""
    if workers is None:
        return list(self._core.state.workers)
    found: list[str] = []
    for worker in workers:
        try:
            found += named_workers(self._core, [str(worker).partition("://")[2] or str(worker)])
        except ValueError:
            raise KeyError(worker) from None
    return found
