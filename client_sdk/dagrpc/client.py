"""The client: what users of dagrpc work with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._client import gather, scatter, submit
from dagrpc._client.calls_by_name import CallingByName
from dagrpc._client.collection_verbs import CollectionVerbs
from dagrpc._client.commands import Cancel, Ping, Retry
from dagrpc._client.connection import NO_DEFAULT
from dagrpc._client.conveniences import Conveniences
from dagrpc._client.current import ensure_default_client, temp_default_client
from dagrpc._client.dataset_verbs import DatasetVerbs
from dagrpc._client.event_verbs import EventVerbs
from dagrpc._client.inspection import Inspection
from dagrpc._client.key_table import KeyState, lock
from dagrpc._client.memory_verbs import MemoryVerbs
from dagrpc._client.options import Duration, Workers, explicit_options, without_timeout
from dagrpc._client.plugging import Plugging
from dagrpc._client.questions import Questions
from dagrpc._common.remote_raise import at_surface
from dagrpc.compat import familiar_names
from dagrpc.executor import ClientExecutor
from dagrpc.future import Future

__all__ = ["Client", "Future", "ensure_default_client", "temp_default_client"]
if not TYPE_CHECKING:
    __getattr__ = familiar_names.lookup("client")


class Client(
    CollectionVerbs,
    Inspection,
    MemoryVerbs,
    EventVerbs,
    DatasetVerbs,
    Questions,
    Conveniences,
    Plugging,
    CallingByName,
):
    """Connects to a cluster and has it compute.

    Parameters
    ----------
    address : str or cluster, optional
        Address of a scheduler, or a cluster object. By default the setting ``scheduler-address`` of dask's
        configuration; if there is none, a `LocalCluster` is started with the other keyword arguments.
    loop : object, optional
        Accepted for compatibility.
    timeout : number or str, optional
        How long to try to reach the scheduler.
    set_as_default : bool
        Whether to be the default client, and dask's default scheduler.
    scheduler_file : str, optional
        A file written by the scheduler that holds its address.
    security : Security, dict or bool, optional
        Certificates for TLS, or the arguments of a `Security`; by default those of the cluster object, else those that
        the configuration names. True: temporary ones, for the local cluster that is started.
    asynchronous : bool
        Whether operations return awaitables: for programs that run on an event loop. Such a client is to be awaited,
        or used with ``async with``.
    name : str, optional
        Part of the client's id, which logs show.
    direct_to_workers : bool, optional
        Whether data goes between client and workers directly. By default it does where they can be reached.
    serializers, deserializers : list of str, optional
        Families of encodings, such as ``["dask", "msgpack"]``, that the client sends data by, best first, and that it
        accepts. By default whatever is best; `deserializers` are `serializers` if only these are given. Functions,
        the arguments of calls and exceptions are pickled all the same.
    extensions : dict, optional
        By name what to make with this client: callables that are given it. What they return is in ``extensions``.
    heartbeat_interval, connection_limit
        Accepted for compatibility.
    **kwargs
        For `LocalCluster`, if one is started.

    Raises
    ------
    OSError
        If no scheduler answers at the address in time; names the address.
    ValueError
        If there are unexpected keyword arguments beside an address.

    Examples
    --------
    >>> with Client(cluster.scheduler_address) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6

    What it is connected to, and how:

    >>> client = Client(cluster.scheduler_address)
    >>> client.status, client.scheduler.address, client.asynchronous
    ('running', '127.0.0.1:...', False)
    >>> client.loop.add_callback(client.log_event, "topic", "said on the loop")
    >>> client.dashboard_link  # None: the cluster has no dashboard
    >>> client.close()

    On an event loop:

    >>> async with Client(cluster.scheduler_address, asynchronous=True) as client:
    ...     await client.submit(sum, [1, 2, 3])
    6
    """

    def __init__(
        self,
        address: Any = None,
        loop: object = None,
        timeout: Duration = NO_DEFAULT,
        set_as_default: bool = True,
        scheduler_file: str | None = None,
        security: Any = None,
        asynchronous: bool = False,
        name: str | None = None,
        heartbeat_interval: Any = None,
        serializers: Any = None,
        deserializers: Any = None,
        extensions: Any = None,
        direct_to_workers: bool | None = None,
        connection_limit: int = 512,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            address,
            timeout=timeout,
            set_as_default=set_as_default,
            scheduler_file=scheduler_file,
            asynchronous=asynchronous,
            name=name,
            direct_to_workers=direct_to_workers,
            serializers=serializers,
            deserializers=deserializers,
            cluster_options=kwargs,
            security=security,
        )
        self.extensions: dict[str, Any] = {name: make(self) for name, make in (extensions or {}).items()}

    # --- calls ---------------------------------------------------------------------------------------------------

    # Options take Any, too: for type checkers each of them may be in a dict of arguments, `client.submit(f, **given)`.

    def submit(
        self,
        func: Callable[..., Any],
        *args: Any,
        key: Hashable | Any = None,
        workers: Workers | Any = None,
        resources: Mapping[str, float] | Any = None,
        retries: int | Any = None,
        priority: float | Any = 0,
        fifo_timeout: Duration | Any = "100 ms",
        allow_other_workers: bool | Any = False,
        actor: bool | Any = False,
        actors: bool | Any = False,
        pure: bool | Any = True,
        **kwargs: Any,
    ) -> Future[Any]:
        """Have the cluster call a function.

        Parameters
        ----------
        func : callable
            The function.
        *args, **kwargs
            Its arguments. Futures among them, also within lists, tuples, sets and dicts, are replaced by their results.
        key : str, bytes, number or tuple, optional
            Name of the task. By default the function's name with a hash of function and arguments.
        workers : str or iterable of str, optional
            Addresses, names or host names of the workers that may run it.
        resources : dict, optional
            Amounts of the workers' resources that it needs, such as ``{"GPU": 1}``.
        retries : int, optional
            How many times to run it again if it fails.
        priority : number
            Higher runs first.
        fifo_timeout : number, str or timedelta
            Submissions closer together than this share a priority.
        allow_other_workers : bool
            Whether other workers may run it when none of `workers` is there.
        actor, actors : bool
            Whether the result is an actor.
        pure : bool
            Whether equal calls are one task. A call with effects, or with random results, should not be.
        timeout : number, str or timedelta, optional
            How long it may run, from the call of `func`; after that it is broken off and fails with `TaskTimeout`. If
            `func` takes an argument of this name, or any, this is that: use ``dask.annotate(timeout=...)`` then.

        Raises
        ------
        TypeError
            If `func` is not callable, or if it or an argument cannot be pickled.

        Examples
        --------
        >>> a = client.submit(sum, [1, 2])
        >>> b = client.submit(sum, [a, 10])
        >>> b.result()
        13
        """
        actor = actor or actors
        given: Mapping[str, Any] = {}
        timeout = None
        if "timeout" in kwargs and callable(func):
            kwargs, timeout = without_timeout(func, kwargs)
        if workers is not None or resources or retries or priority or actor or timeout is not None:
            given = explicit_options(
                workers=workers,
                allow_other_workers=allow_other_workers and workers is not None,
                resources=resources,
                retries=retries,
                priority=priority,
                actor=actor,
                timeout=timeout,
            )
        return submit.submit(
            self,
            func,
            args,
            kwargs,
            key=key,
            pure=pure and not actor,
            fifo_timeout=fifo_timeout,
            allow_other_workers=allow_other_workers,
            given=given,
        )

    def map(
        self,
        func: Callable[..., Any],
        *iterables: Any,
        key: str | Iterable[Hashable] | Any = None,
        workers: Workers | Any = None,
        retries: int | Any = None,
        resources: Mapping[str, float] | Any = None,
        priority: float | Any = 0,
        allow_other_workers: bool | Any = False,
        fifo_timeout: Duration | Any = "100 ms",
        actor: bool | Any = False,
        actors: bool | Any = False,
        pure: bool | Any = True,
        batch_size: int | Any = None,
        **kwargs: Any,
    ) -> list[Future[Any]]:
        """Have the cluster call a function for each element of some iterables.

        Parameters
        ----------
        func : callable
            The function.
        *iterables : collections
            Its positional arguments; the shortest says how many calls there are. No iterators.
        key : str or list, optional
            A prefix for the keys, or the keys.
        batch_size : int, optional
            How many calls to submit at a time.
        **kwargs
            Further arguments, the same for all calls.

        The other parameters are those of `submit`.

        Returns
        -------
        list of Future
            In the order of the elements.

        Examples
        --------
        >>> futures = client.map(pow, range(4), [2, 2, 2, 2])
        >>> client.gather(futures)
        [0, 1, 4, 9]
        """
        actor = actor or actors
        timeout = None
        if "timeout" in kwargs and callable(func):
            kwargs, timeout = without_timeout(func, kwargs)
        given = explicit_options(
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            retries=retries,
            priority=priority,
            actor=actor,
            timeout=timeout,
        )
        return submit.map_calls(
            self,
            func,
            iterables,
            kwargs,
            key=key,
            pure=pure and not actor,
            batch_size=batch_size,
            fifo_timeout=fifo_timeout,
            given=given,
        )

    def get_executor(self, **kwargs: Any) -> ClientExecutor:
        """Return an executor of `concurrent.futures` that runs calls on the cluster.

        Parameters
        ----------
        **kwargs
            For all its calls: ``workers``, ``allow_other_workers``, ``resources``, ``retries``, ``priority``,
            ``pure`` and ``timeout``, as for `submit`.

        Raises
        ------
        TypeError
            If there is another argument.

        Examples
        --------
        >>> with client.get_executor() as executor:
        ...     executor.submit(pow, 2, 10).result()
        1024
        """
        return ClientExecutor(self, **kwargs)

    # --- data ----------------------------------------------------------------------------------------------------

    @at_surface
    def gather(
        self, futures: Any, errors: str = "raise", direct: bool | None = None, asynchronous: bool | None = None
    ) -> Any:
        """Wait for futures and fetch their results.

        Parameters
        ----------
        futures : Future, or nested lists, tuples, sets and dicts of futures, or an iterator of futures
            What to fetch. What is not a future is returned as it is.
        errors : {"raise", "skip"}
            What to do with a failed future: raise its exception, or leave it out of its list (elsewhere: None).
        direct : bool, optional
            Whether to fetch from the workers (True) or through the scheduler (False).
        asynchronous : bool, optional
            Whether to return an awaitable.

        Returns
        -------
        The results in the places of the futures. For an iterator a generator, which waits for one at a time.

        Examples
        --------
        >>> x = client.submit(sum, [1, 2])
        >>> client.gather({"a": x, "b": [x, x]})
        {'a': 3, 'b': [3, 3]}
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors must be 'raise' or 'skip', not {errors!r}")
        if hasattr(futures, "__next__") and not isinstance(futures, Future):
            return (self.gather(future, errors=errors, direct=direct) for future in futures)
        if hasattr(futures, "get_nowait"):
            raise TypeError("Gathering a queue is not supported: make a list of its futures first")
        self._check_process()
        return self._drive(gather.gather(self, futures, errors, direct), asynchronous)

    def scatter(
        self,
        data: Any,
        workers: Workers = None,
        broadcast: bool | int = False,
        direct: bool | None = None,
        hash: bool = True,
        timeout: Duration = NO_DEFAULT,
        asynchronous: bool | None = None,
    ) -> Any:
        """Put local data on workers.

        Parameters
        ----------
        data : list, tuple, set, dict or any other value
            Several values in a list, tuple, set, range or dict (whose keys name them); otherwise one value.
        workers : str or iterable of str, optional
            Addresses, names or host names of the workers that may take it.
        broadcast : bool or int
            Whether all workers get a copy, or how many do.
        direct : bool, optional
            Whether to send to the workers (True) or through the scheduler (False).
        hash : bool
            Whether the key is a hash of the value, so that equal values are one; otherwise it is random.
        timeout : number or str, optional
            How long to wait for workers to be there.
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

        A list is as many values, a dict names them:

        >>> client.gather(client.map(inc, client.scatter([1, 2, 3])))
        [2, 3, 4]
        >>> client.scatter({"x": 1, "y": 2})
        {'x': <Future: finished, type: int, key: x>, 'y': <Future: finished, type: int, key: y>}
        """
        seconds = self._timeout if timeout == NO_DEFAULT or timeout is None else config.seconds(timeout) or 0.0
        return self._drive(scatter.scatter(self, data, workers, broadcast, direct, hash, seconds), asynchronous)

    # --- giving up, trying again ---------------------------------------------------------------------------------

    def cancel(
        self,
        futures: Any,
        asynchronous: bool | None = None,
        force: bool = False,
        reason: str | None = None,
        msg: str | None = None,
    ) -> Any:
        """Stop tasks that do not run yet, and forget them with all that depends on them.

        What runs goes on, and its result is dropped, unless `force` is given.

        Parameters
        ----------
        futures : Future, collection or nested structure of futures
            What to cancel.
        force : bool
            Whether to cancel even what other clients want, and to break off what runs: `TaskInterrupted` is raised in
            its thread, which comes when the thread is back from whatever it called outside of Python.
        reason, msg : str, optional
            Why, as a word and as a sentence: shown to those who ask for a result.

        Examples
        --------
        >>> future = client.submit(inc, 1)
        >>> client.cancel(future, reason="no longer wanted")
        >>> future.status
        'cancelled'
        """
        self._check_open()
        states = self._states(futures)
        reason = _text(reason) or "unknown"
        msg = _text(msg)
        with lock:
            token = self._session.next_token()
            self._table.cancel(states, reason, msg, token)
            self._session.mark_released()
            self._session.send(Cancel([state.wire_key for state in states], force, reason, msg or ""))
            # Events that come before its answer are about the tasks that were cancelled.
            self._session.send(Ping(token))
        return self._at_once()

    def retry(self, futures: Any, asynchronous: bool | None = None) -> Any:
        """Run failed tasks again, with the failed tasks that they depend on.

        Parameters
        ----------
        futures : Future, collection or nested structure of futures
            What to run again; what has not failed is left as it is.

        Examples
        --------
        >>> from pathlib import Path
        >>> future = client.submit(Path("later.txt").absolute().read_text)
        >>> future.exception()
        FileNotFoundError(2, 'No such file or directory')
        >>> Path("later.txt").write_text("here now")
        8
        >>> client.retry(future)
        >>> future.result()
        'here now'
        """
        self._check_open()
        # What the scheduler refused it does not know.
        states = [state for state in self._states(futures) if not gather.was_refused(state)]
        with lock:
            self._table.retry(states)
            self._session.send(Retry([state.wire_key for state in states]))
        return self._at_once()

    def _states(self, futures: Any) -> list[KeyState]:
        states = {id(future.bound_state()): future.bound_state() for future in gather.futures_in(futures)}
        return list(states.values())


def _text(value: Any) -> str | None:
    """Return what a user gave as text as something that can be sent."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()
