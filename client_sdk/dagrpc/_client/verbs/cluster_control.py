"""Facts about the cluster, and commands to its processes: restart and shutdown."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from dagrpc import config
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.cluster_info import CachedInfo
from dagrpc._client.lifecycle import ClientLifecycle
from dagrpc._client.poll_workers import poll_workers
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import NO_DEFAULT, Duration, Workers, names_nobody, worker_names
from dagrpc._client.waiting import Deadline, Operation, RunOnLoop, run_awaiting
from dagrpc._common.addresses import without_scheme
from dagrpc._common.keys import Key, decode_key
from dagrpc.exceptions import CommClosedError
from dagrpc.v1 import scheduler_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")

_RESTART_SECONDS = 120.0


class _Client(HasCore, Protocol):
    """The parts of a client that the verbs here use."""

    _lifecycle: ClientLifecycle
    scheduler_file: str | None


# --- facts -----------------------------------------------------------------------------------------------------------


def scheduler_info(self: HasCore, n_workers: int = -1, **kwargs: Any) -> Any:
    """Return facts about the scheduler and its workers.

    Parameters
    ----------
    n_workers : int
        How many workers to describe; all by default.

    Returns
    -------
    dict
        With ``address``, ``n_workers``, ``total_threads``, ``total_memory``, ``workers`` and more. An asynchronous
        client returns the facts that it knows: those of its connection or its last awaited call, refreshed every
        `client.scheduler-info-interval` after the first call. Awaiting the returned object asks the scheduler.

    Examples
    --------
    >>> info = client.scheduler_info()
    >>> info["n_workers"], info["total_threads"]
    (2, 4)
    >>> sorted(worker["name"] for worker in info["workers"].values())
    [0, 1]
    """
    core = self._core
    core.check_open()
    if not core.asynchronous:
        return core.call(core.cluster_info.fetch(n_workers))
    core.cluster_info.keep_fresh()

    def fetch() -> Any:
        return run_awaiting(core.on_loop(core.cluster_info.fetch(n_workers)), self)

    return CachedInfo(core.cluster_info.latest(n_workers), fetch)


def nthreads(self: HasCore, workers: Workers = None, **kwargs: Any) -> Any:
    """Return the number of threads of each worker.

    Parameters
    ----------
    workers : str or iterable of str, optional
        Addresses, names or host names; all workers by default.

    Returns
    -------
    dict
        Numbers by address.

    Examples
    --------
    >>> client.nthreads()
    {'127.0.0.1:...': 2, '127.0.0.1:...': 2}
    """
    return self._core.call(_nthreads(self._core, workers))


async def _nthreads(core: ClientCore, workers: Workers) -> dict[str, int]:
    names = set(worker_names(workers))
    known = (await core.cluster_info.fetch())["workers"]
    return {
        address: info["nthreads"]
        for address, info in known.items()
        if workers is None or names & {without_scheme(address), str(info["name"]), info["host"]}
    }


def processing(self: HasCore, workers: Workers = None) -> Any:
    """Return the tasks that workers are running or are about to run.

    Parameters
    ----------
    workers : str or iterable of str, optional
        Addresses or names; all workers by default.

    Returns
    -------
    dict
        Keys by address.

    Examples
    --------
    >>> client.processing()
    {'127.0.0.1:...': (), '127.0.0.1:...': ()}
    """
    return self._core.call(_processing(self._core.session, workers))


async def _processing(session: ClientSession, workers: Workers) -> dict[str, tuple[Key, ...]]:
    if names_nobody(workers):
        return {}
    request = pb.ProcessingRequest(workers=worker_names(workers))
    response = await scheduler_service(session).call("Processing", request, pb.ProcessingResponse)
    return {entry.worker: tuple(map(decode_key, entry.keys)) for entry in response.workers}


def wait_for_workers(self: HasCore, n_workers: int, timeout: Duration = None) -> Any:
    """Wait until the cluster has a number of workers.

    Parameters
    ----------
    n_workers : int
        The number of workers.
    timeout : number or str, optional
        How long to wait.

    Raises
    ------
    WorkerStartTimeoutError
        If there are fewer workers in time; a `TimeoutError`.

    Examples
    --------
    >>> client.wait_for_workers(2, timeout="30 s")
    """
    if not isinstance(n_workers, int) or isinstance(n_workers, bool) or n_workers < 1:
        raise ValueError(f"`n_workers` must be a positive integer. Instead got {n_workers!r}.")
    return self._core.call(_wait_for_workers(self._core, n_workers, Deadline(config.seconds(timeout))))


async def _wait_for_workers(core: ClientCore, n_workers: int, deadline: Deadline) -> None:
    async def count() -> int:
        # The whole answer, which an asynchronous client keeps.
        return int((await core.cluster_info.fetch())["n_workers"])

    await poll_workers(count, n_workers, deadline)


def write_scheduler_file(self: _Client, scheduler_file: str | os.PathLike[str]) -> Any:
    """Write a file with the scheduler's address, for ``Client(scheduler_file=...)`` and ``--scheduler-file``.

    Parameters
    ----------
    scheduler_file : str or path
        Path of the file.

    Raises
    ------
    ValueError
        If this client has such a file already.

    Examples
    --------
    >>> client.write_scheduler_file("scheduler.json")
    >>> with Client(scheduler_file="scheduler.json") as other:
    ...     other.submit(inc, 1).result()
    2
    """
    if self.scheduler_file:
        raise ValueError("Scheduler file already set")
    self._core.check_open()
    Path(scheduler_file).write_text(json.dumps(scheduler_info(self), indent=2))
    self.scheduler_file = str(scheduler_file)
    return self._core.completed()


# --- restarts and shutdown -------------------------------------------------------------------------------------------


def restart(self: HasCore, timeout: Duration = NO_DEFAULT, wait_for_workers: bool = True) -> Any:
    """Restart all workers and forget all tasks.

    Futures are cancelled with reason ``scheduler-restart``. Workers without a nanny are only closed. They come back if
    something else starts workers.

    Parameters
    ----------
    timeout : number or str, optional
        How long to wait for the workers to be back; 2 minutes by default.
    wait_for_workers : bool
        Whether to wait for the workers.

    Raises
    ------
    TimeoutError
        If a worker is not back in time.

    Examples
    --------
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     future = client.submit(inc, 1)
    ...     client.restart()
    ...     future.status
    'cancelled'
    """
    core = self._core
    return core.run(_restart(core, (), timeout, wait_for_workers, raise_for_error=True, with_outcomes=False))


def restart_workers(
    self: HasCore, workers: Sequence[str | int], timeout: Duration = NO_DEFAULT, raise_for_error: bool = True
) -> Any:
    """Restart some workers. Results that only they held are computed again where they are needed.

    Parameters
    ----------
    workers : list of str or int
        Addresses or names of workers with nannies.
    timeout : number or str, optional
        How long to wait for the workers to be back.
    raise_for_error : bool
        Whether to raise if a worker is not back in time.

    Returns
    -------
    dict
        ``"OK"``, ``"timed out"``, or ``"removed"`` for a worker that has just left, by worker as named in `workers`.

    Raises
    ------
    ValueError
        If a worker has no nanny, or no worker has that name. Then no worker is restarted.
    TimeoutError
        If a worker is not back in time.

    Examples
    --------
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     client.restart_workers([0])
    {0: 'OK'}
    """
    return self._core.run(_restart_some(self._core, workers, timeout, raise_for_error))


def _restart_some(
    core: ClientCore, workers: Sequence[str | int], timeout: Duration, raise_for_error: bool
) -> Operation[dict[str | int, str]]:
    given = [workers] if isinstance(workers, (str, int)) else list(workers)
    if not given:
        return {}
    names = worker_names(given)
    outcomes = yield from _restart(core, names, timeout, True, raise_for_error=raise_for_error, with_outcomes=True)
    as_given = dict(zip(names, given, strict=True))
    return {as_given.get(name, name): outcome for name, outcome in (outcomes or {}).items()}


def _restart(
    core: ClientCore,
    workers: Sequence[str],
    timeout: Duration,
    wait: bool,
    *,
    raise_for_error: bool,
    with_outcomes: bool,
) -> Operation[dict[str, str] | None]:
    core.check_open()
    seconds = _RESTART_SECONDS if timeout == NO_DEFAULT or timeout is None else config.seconds(timeout) or 0.0
    restarting = _restart_on_scheduler(core.session, workers, seconds, wait)
    outcomes: dict[str, str] = yield RunOnLoop(core.loop, restarting, Deadline(seconds + 60))
    missing = [worker for worker, outcome in outcomes.items() if outcome != "OK"]
    if missing and wait and raise_for_error:
        removed = [worker for worker in missing if outcomes[worker] == "removed"]
        raise TimeoutError(_late_message(sorted(missing), removed, seconds))
    return outcomes if with_outcomes else None


async def _restart_on_scheduler(
    session: ClientSession, workers: Sequence[str], timeout: float, wait: bool
) -> dict[str, str]:
    """Restart workers, all of them if none are named, and return the outcome of each."""
    request = pb.RestartWorkersRequest(timeout_seconds=timeout, workers=list(workers), no_wait=not wait)
    service = scheduler_service(session)
    response = await service.call("RestartWorkers", request, pb.RestartWorkersResponse, timeout=timeout + 30)
    # Events of the session cancel the futures; the answer may have overtaken these events.
    await session.ping()
    return dict(response.outcomes)


def _late_message(missing: Sequence[str], removed: Sequence[str], seconds: float) -> str:
    """Return the message about workers that are not back in time after a restart."""
    text = f"Workers {', '.join(missing)} were not back within {seconds:g} s after their restart"
    if removed:
        text += (
            f". {len(removed)} of them have no nanny that could start them again, and were only closed. Unless "
            "something else starts workers they will not come back, and every restart will time out: do not restart "
            "such workers"
        )
    return text


def shutdown(self: _Client) -> Any:
    """Stop the scheduler and all workers, and close this client.

    Examples
    --------
    >>> cluster = LocalCluster(n_workers=1, processes=False)
    >>> client = Client(cluster)
    >>> client.shutdown()
    >>> cluster.status, client.status
    (<Status.closed: 'closed'>, 'closed')
    """
    return self._core.run(_shutdown(self._core, self._lifecycle))


def _shutdown(core: ClientCore, lifecycle: ClientLifecycle) -> Operation[None]:
    core.check_open()
    # A cluster object ends the processes that it started by itself.
    lifecycle.owns_cluster = lifecycle.cluster is not None and hasattr(lifecycle.cluster, "close")
    if not lifecycle.owns_cluster:
        yield RunOnLoop(core.loop, _stop_scheduler(core.session), Deadline(60))
    yield from lifecycle.close(core.timeout)


async def _stop_scheduler(session: ClientSession) -> None:
    """Stop the scheduler and all workers."""
    request = pb.ShutdownRequest(reason=f"asked by {session.client_id}")
    try:
        await scheduler_service(session).call("Shutdown", request, pb.ShutdownResponse)
    except CommClosedError:
        # The scheduler may end before it has answered.
        logger.debug("The scheduler ended the connection while it was shut down", exc_info=True)
    await session.wait_ended(10)
