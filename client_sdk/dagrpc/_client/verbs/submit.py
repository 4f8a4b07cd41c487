"""Submitting calls: `submit`, `map`, executors; `cancel` and `retry` for the futures."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dagrpc._client.adopt_futures import adopt_futures, cancelled_with_inputs
from dagrpc._client.arguments import encode_arguments, warn_if_large
from dagrpc._client.call_tokens import PLAIN, call_token, function_name, unique_key
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.commands import PART_TASKS, Call, Cancel, Part, Ping, Retry
from dagrpc._client.find_futures import futures_in
from dagrpc._client.key_table import KeyState, lock
from dagrpc._client.map_calls import Mapper, check_iterables
from dagrpc._client.replace_futures import replace_futures
from dagrpc._client.results import was_refused
from dagrpc._client.submission_options import (
    Duration,
    Workers,
    explicit_options,
    fifo_seconds,
    submission_options,
    without_timeout,
)
from dagrpc._common.keys import encode_key
from dagrpc._graph.lower import checked_key
from dagrpc.executor import ClientExecutor
from dagrpc.future import Future

_LARGE_CALL = 100_000
"""Bytes from which on a call may be large enough for a warning."""

# Options are annotated with Any, too: type checkers have to accept `client.submit(f, **options)`.


def submit(
    self: HasCore,
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
    """Submit a call of a function to the cluster.

    Parameters
    ----------
    func : callable
        The function.
    *args, **kwargs
        Arguments of the function. Futures among the arguments, also within lists, tuples, sets and dicts, are replaced
        by their results.
    key : str, bytes, number or tuple, optional
        Name of the task. By default the function's name with a hash of function and arguments.
    workers : str or iterable of str, optional
        Addresses, names or host names of the workers that may run the task.
    resources : dict, optional
        Amounts of the workers' resources that the task needs, such as ``{"GPU": 1}``.
    retries : int, optional
        How many times to run the task again if it fails.
    priority : number
        Tasks of higher priority run first.
    fifo_timeout : number, str or timedelta
        Submissions closer together than this time share a priority.
    allow_other_workers : bool
        Whether other workers may run the task when none of `workers` is there.
    actor, actors : bool
        Whether the result is an actor.
    pure : bool
        Whether equal calls are one task. A call with side effects or random results is not pure.
    timeout : number, str or timedelta, optional
        How long the task may run, counted from the call of `func`; then it is interrupted and fails with
        `TaskTimeout`. If `func` has a parameter ``timeout`` or takes any keyword argument, this argument goes to
        `func`: use ``dask.annotate(timeout=...)`` in that case.

    Raises
    ------
    TypeError
        If `func` is not callable, or if `func` or an argument cannot be pickled.

    Examples
    --------
    >>> a = client.submit(sum, [1, 2])
    >>> b = client.submit(sum, [a, 10])
    >>> b.result()
    13
    """
    if not callable(func):
        raise TypeError("First input to submit must be a callable function")
    core = self._core
    actor = actor or actors
    timeout = None
    if "timeout" in kwargs:
        kwargs, timeout = without_timeout(func, kwargs)
    given: Mapping[str, Any] = {}
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
    core.check_open()
    core.session.drop_released()
    if key is not None:
        known = core.table.acquire(checked_key(key))
        if known is not None:
            return Future._of(known, core, self)
    values, values_by_name, dependencies = _references(core, args, kwargs)
    pickled = core.shared.pickled(func)
    if key is None:
        name = function_name(func)
        is_pure = pure and not actor
        key = f"{name}-{call_token(pickled.digest, values, values_by_name)}" if is_pure else unique_key(name)
        wire_key = encode_key(key)
        known = core.table.acquire(wire_key)
        if known is not None:
            return Future._of(known, core, self)
    else:
        wire_key = encode_key(key)
    # Checked late: the options of a key that is known already do not matter.
    if allow_other_workers and workers is None:
        raise ValueError("Only use allow_other_workers= if using workers=")
    options = submission_options(given)
    run_spec, apart = encode_arguments(key, pickled, values, values_by_name)
    if len(run_spec) > _LARGE_CALL:
        warn_if_large(len(run_spec), f"task {key!r}")
    with core.shared.lock:
        digest = core.shared.hold_function(pickled) if apart else None
        state, is_new = core.table.create(key, wire_key)
        future = Future._of(state, core, self)
        if is_new and not cancelled_with_inputs(core, state, dependencies):
            seconds = fifo_seconds(fifo_timeout)
            core.session.send(Call(wire_key, run_spec, digest, list(dependencies), options, seconds))
    return future


def _references(
    core: ClientCore, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Future[Any]]]:
    """Return arguments with references in place of futures, and the futures by wire key."""
    dependencies: dict[str, Future[Any]] = {}
    for value in args:
        if type(value) not in PLAIN:
            args = [replace_futures(item, dependencies) for item in args]
            break
    if kwargs:
        kwargs = {name: replace_futures(value, dependencies) for name, value in kwargs.items()}
    if dependencies:
        adopt_futures(core, (dependencies,))
    return args, kwargs, dependencies


def map(
    self: HasCore,
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
    """Submit a call of a function for each element of some iterables.

    Parameters
    ----------
    func : callable
        The function.
    *iterables : collections
        Positional arguments of the calls; the shortest iterable sets the number of calls. Iterators are refused.
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
    if not callable(func):
        raise TypeError("First input to map must be a callable function")
    core = self._core
    actor = actor or actors
    timeout = None
    if "timeout" in kwargs:
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
    check_iterables(iterables)
    core.check_open()
    core.session.drop_released()
    calls: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
    if key is not None and not isinstance(key, str):
        key = list(key)
        calls = islice(calls, len(key))
    mapper = Mapper(
        core,
        func,
        kwargs,
        key=key,
        pure=pure and not actor,
        options=submission_options(given),
        fifo_timeout=fifo_seconds(fifo_timeout),
    )
    size = min(int(batch_size), PART_TASKS) if batch_size else PART_TASKS
    try:
        mapper.run(calls, max(1, size))
    except BaseException:
        # The scheduler keeps the tasks of a graph until its last part has come.
        core.session.send(Part(mapper.graph_id, last=True))
        raise
    return mapper.futures


def get_executor(self: HasCore, **kwargs: Any) -> ClientExecutor:
    """Return an executor of `concurrent.futures` that runs calls on the cluster.

    Parameters
    ----------
    **kwargs
        Options of all calls of the executor: ``workers``, ``allow_other_workers``, ``resources``, ``retries``,
        ``priority``, ``pure`` and ``timeout``, as for `submit`.

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
    return ClientExecutor(self._core.client, **kwargs)


def cancel(
    self: HasCore,
    futures: Any,
    asynchronous: bool | None = None,
    force: bool = False,
    reason: str | None = None,
    msg: str | None = None,
) -> Any:
    """Cancel tasks that do not run yet, and forget them with all tasks that depend on them.

    A running task goes on and its result is dropped, unless `force` is given.

    Parameters
    ----------
    futures : Future, collection or nested structure of futures
        The tasks to cancel.
    force : bool
        Whether to cancel tasks that other clients want, too, and to interrupt running tasks: `TaskInterrupted` is
        raised in the thread of the task, once the thread is back from any call outside of Python.
    reason, msg : str, optional
        The reason as a word and as a sentence, for the error of those who ask for a result.

    Examples
    --------
    >>> future = client.submit(inc, 1)
    >>> client.cancel(future, reason="no longer wanted")
    >>> future.status
    'cancelled'
    """
    core = self._core
    core.check_open()
    states = _states(futures)
    reason = _sendable(reason) or "unknown"
    msg = _sendable(msg)
    with lock:
        token = core.session.next_token()
        core.table.cancel(states, reason, msg, token)
        core.session.mark_released()
        core.session.send(Cancel([state.wire_key for state in states], force, reason, msg or ""))
        # Events that come before the answer to this ping are about the tasks that were cancelled.
        core.session.send(Ping(token))
    return core.completed()


def retry(self: HasCore, futures: Any, asynchronous: bool | None = None) -> Any:
    """Run failed tasks again, with the failed tasks that they depend on.

    Parameters
    ----------
    futures : Future, collection or nested structure of futures
        The tasks. Tasks that have not failed are left as they are.

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
    core = self._core
    core.check_open()
    # The scheduler does not know tasks that it refused.
    states = [state for state in _states(futures) if not was_refused(state)]
    with lock:
        core.table.retry(states)
        core.session.send(Retry([state.wire_key for state in states]))
    return core.completed()


def _states(futures: Any) -> list[KeyState]:
    states = {id(future.bound_state()): future.bound_state() for future in futures_in(futures)}
    return list(states.values())


def _sendable(value: Any) -> str | None:
    """Return a user's text in a form that UTF-8 can carry."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()
