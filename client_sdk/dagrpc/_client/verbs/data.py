"""Moving data and asking where it is: `gather`, `scatter`, `who_has`, `has_what`, `nbytes`."""

from __future__ import annotations

from typing import Any

from dask.utils import key_split

from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.find_futures import wire_keys_in
from dagrpc._client.gather import gather as gather_operation
from dagrpc._client.scatter import scatter as scatter_operation
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import NO_DEFAULT, Duration, Workers, names_nobody, worker_names
from dagrpc._client.waiting import Operation, RunOnLoop
from dagrpc._common.keys import Key, decode_key
from dagrpc._common.remote_raise import at_surface
from dagrpc.future import Future
from dagrpc.objects import HasWhat, WhoHas
from dagrpc.v1 import scheduler_service_pb2 as pb


@at_surface
def gather(
    self: HasCore, futures: Any, errors: str = "raise", direct: bool | None = None, asynchronous: bool | None = None
) -> Any:
    """Wait for futures and fetch their results.

    Parameters
    ----------
    futures : Future, or nested lists, tuples, sets and dicts of futures, or an iterator of futures
        The futures. Values that are not futures are returned as they are.
    errors : {"raise", "skip"}
        Whether a failed future raises its exception or is left out of its list (elsewhere: replaced by None).
    direct : bool, optional
        Whether to fetch from the workers (True) or through the scheduler (False).
    asynchronous : bool, optional
        Whether to return an awaitable.

    Returns
    -------
    The results in the places of the futures. For an iterator a generator, which waits for one future at a time.

    Examples
    --------
    >>> x = client.submit(sum, [1, 2])
    >>> client.gather({"a": x, "b": [x, x]})
    {'a': 3, 'b': [3, 3]}
    """
    if errors not in ("raise", "skip"):
        raise ValueError(f"errors must be 'raise' or 'skip', not {errors!r}")
    if hasattr(futures, "__next__") and not isinstance(futures, Future):
        return (gather(self, future, errors=errors, direct=direct) for future in futures)
    if hasattr(futures, "get_nowait"):
        raise TypeError("Gathering a queue is not supported: make a list of its futures first")
    core = self._core
    core.check_process()
    return core.run(gather_operation(core, futures, errors, direct), asynchronous)


def scatter(
    self: HasCore,
    data: Any,
    workers: Workers = None,
    broadcast: bool | int = False,
    direct: bool | None = None,
    hash: bool = True,
    timeout: Duration = NO_DEFAULT,
    asynchronous: bool | None = None,
) -> Any:
    """Send local data to workers.

    Parameters
    ----------
    data : list, tuple, set, dict or any other value
        Several values in a list, tuple, set, range or dict (with their keys); any other object is one value.
    workers : str or iterable of str, optional
        Addresses, names or host names of the workers that may take the data.
    broadcast : bool or int
        Whether all workers get a copy, or how many do.
    direct : bool, optional
        Whether to send to the workers (True) or through the scheduler (False).
    hash : bool
        Whether the key is a hash of the value, so that equal values share a key; otherwise the key is random.
    timeout : number or str, optional
        How long to wait for the first worker.
    asynchronous : bool, optional
        Whether to return an awaitable.

    Returns
    -------
    Future, or list, tuple, set or dict of futures
        In the shape of the data.

    Raises
    ------
    TimeoutError
        If there are no workers in time.

    Examples
    --------
    >>> table = client.scatter(np.arange(10), broadcast=True)
    >>> client.gather([client.submit(lambda table, i: int(table[i]), table, i) for i in (2, 3)])
    [2, 3]

    The items of a list and of a dict are values of their own:

    >>> client.gather(client.map(inc, client.scatter([1, 2, 3])))
    [2, 3, 4]
    >>> client.scatter({"x": 1, "y": 2})
    {'x': <Future: finished, type: int, key: x>, 'y': <Future: finished, type: int, key: y>}
    """
    core = self._core
    operation = scatter_operation(core, data, workers, broadcast, direct, hash, core.seconds(timeout))
    return core.run(operation, asynchronous)


def who_has(self: HasCore, futures: Any = None, **kwargs: Any) -> Any:
    """Return the workers that hold results.

    Parameters
    ----------
    futures : collection, nested structure of futures, or list of keys, optional
        The results; all results by default.

    Returns
    -------
    dict
        Addresses by key.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> client.who_has(future)
    {'x': ('127.0.0.1:...',)}
    """
    wire_keys = None if futures is None else wire_keys_in(futures)
    return self._core.call(_who_has(self._core.session, wire_keys))


async def _who_has(session: ClientSession, wire_keys: list[str] | None) -> WhoHas:
    if wire_keys is not None and not wire_keys:
        return WhoHas()
    request = pb.WhoHasRequest(keys=wire_keys)
    response = await scheduler_service(session).call("WhoHas", request, pb.WhoHasResponse)
    return WhoHas({decode_key(ref.key): tuple(ref.workers) for ref in response.data})


def has_what(self: HasCore, workers: Workers = None, **kwargs: Any) -> Any:
    """Return the results that workers hold.

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
    >>> futures = client.map(inc, range(2))
    >>> client.gather(futures)
    [1, 2]
    >>> client.has_what()
    {'127.0.0.1:...': (...), '127.0.0.1:...': (...)}
    """
    return self._core.call(_has_what(self._core.session, workers))


async def _has_what(session: ClientSession, workers: Workers) -> HasWhat:
    if names_nobody(workers):
        return HasWhat({})
    request = pb.HasWhatRequest(workers=worker_names(workers))
    response = await scheduler_service(session).call("HasWhat", request, pb.HasWhatResponse)
    return HasWhat({entry.worker: tuple(map(decode_key, entry.keys)) for entry in response.workers})


def nbytes(self: HasCore, keys: Any = None, summary: bool = True, **kwargs: Any) -> Any:
    """Return the sizes of results on the cluster, in bytes.

    Parameters
    ----------
    keys : list of keys, or futures, optional
        The results; all results by default.
    summary : bool
        Whether to add up the sizes of each kind of task.

    Returns
    -------
    dict
        Bytes by key, or by kind of task.

    Examples
    --------
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result()
    2
    >>> client.nbytes(["x"])
    {'x': 28}
    """
    return self._core.run(_nbytes(self._core, keys, summary))


def _nbytes(core: ClientCore, keys: Any, summary: bool) -> Operation[dict[Any, int]]:
    core.check_open()
    wire_keys = None if keys is None else wire_keys_in(keys)
    sizes: dict[Any, int] = yield RunOnLoop(core.loop, _sizes(core.session, wire_keys))
    if not summary:
        return sizes
    sums: dict[Any, int] = {}
    for key, size in sizes.items():
        kind = key_split(key)
        sums[kind] = sums.get(kind, 0) + size
    return sums


async def _sizes(session: ClientSession, wire_keys: list[str] | None) -> dict[Key, int]:
    if wire_keys is not None and not wire_keys:
        return {}
    request = pb.WhoHasRequest(keys=wire_keys)
    response = await scheduler_service(session).call("WhoHas", request, pb.WhoHasResponse)
    return {decode_key(ref.key): ref.nbytes for ref in response.data if ref.workers}
