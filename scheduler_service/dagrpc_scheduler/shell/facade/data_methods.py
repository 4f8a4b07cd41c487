"""The part of the scheduler as an object that copies and moves data, and takes workers out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, cast

from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_scheduler.shell.facade import loop_calls
from dagrpc_scheduler.shell.memory import replication

if TYPE_CHECKING:
    from dagrpc._rpc.embedded_server import ServiceHome
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler
    from dagrpc_scheduler.shell.service import SchedulerService


class MovesData:
    """Copies and moves results. See `Scheduler`."""

    _service: SchedulerService
    _home: ServiceHome

    workers_to_close: Callable[..., list[Any]]

    async def rebalance(
        self,
        keys: Iterable[Key] | None = None,
        workers: Iterable[str] | None = None,
        stimulus_id: str | None = None,
    ) -> dict[str, Any]:
        """Have results moved so that workers use about the same amount of memory.

        Parameters
        ----------
        keys : iterable of keys, optional
            What may be moved; anything by default.
        workers : iterable of str, optional
            Addresses or names of those to look at; all by default.

        Returns
        -------
        dict
            ``{"status": "OK"}``, or ``{"status": "partial-fail", "keys": [...]}`` with what is not in memory, or
            should have moved and did not.

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
        wires = None if keys is None else [encode_key(key) for key in keys]
        if wires is not None and not wires:
            return {"status": "OK"}
        chosen = self._addresses(workers)
        failed = await self._home.awaiting(
            replication.rebalance(self._service, wires, chosen, stimulus_id or "rebalance")
        )
        return {"status": "partial-fail", "keys": [decode_key(key) for key in failed]} if failed else {"status": "OK"}

    async def replicate(
        self,
        keys: Collection[Key],
        n: int | None = None,
        workers: Iterable[str] | None = None,
        branching_factor: int = 2,
        delete: bool = True,
        stimulus_id: str | None = None,
    ) -> dict[str, Any] | None:
        """Have results copied to more workers.

        Parameters
        ----------
        keys : collection of keys
            Of the results.
        n : int, optional
            On how many workers each is to be; all by default.
        workers : iterable of str, optional
            Addresses or names of those that may have copies; all by default.
        branching_factor : int
            How many workers fetch a result from the same one at a time.
        delete : bool
            Whether copies beyond `n` are dropped.

        Returns
        -------
        dict or None
            ``{"status": "partial-fail", "keys": [...]}`` with what is not in memory; None if all is.

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
        wires = [encode_key(key) for key in keys]
        chosen = self._addresses(workers)
        missing = await self._home.awaiting(
            replication.replicate(self._service, wires, n or 0, chosen, branching=branching_factor, delete=delete)
        )
        return {"status": "partial-fail", "keys": [decode_key(key) for key in missing]} if missing else None

    def _addresses(self, workers: Iterable[str] | None) -> list[str]:
        if workers is None:
            return list(self._service.core.state.workers)
        found: list[str] = []
        for worker in workers:
            try:
                found += self._service.resolve_workers([str(worker).partition("://")[2] or str(worker)])
            except ValueError:
                raise KeyError(worker) from None
        return found

    async def retire_workers(
        self,
        workers: Iterable[str] | None = None,
        *,
        names: Iterable[Any] | None = None,
        close_workers: bool = False,
        remove: bool = True,
        stimulus_id: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Take workers out: what only they hold moves elsewhere, then they close.

        Parameters
        ----------
        workers : iterable of str, optional
            Addresses. By default those that `workers_to_close` names for `kwargs`.
        names : iterable, optional
            Names of workers, instead of addresses.
        close_workers, remove : bool
            If both are false, the workers stay: they get no more tasks, and what they hold others hold, too.

        Returns
        -------
        dict
            What the retired workers were, by address, once they are gone. Those whose data cannot be moved stay, and
            are not in it.
        """
        if workers is not None and names is not None:
            raise TypeError("Both workers and names say who is to go; give one of them")
        if workers is None and names is None:
            chosen = self.workers_to_close(**{**kwargs, "attribute": "address"})
        else:
            chosen = [str(each) for each in (workers if workers is not None else names) or ()]
        return await self._home.awaiting(loop_calls.retire(cast("Scheduler", self), chosen, close_workers or remove))
