"""Options of submissions: arguments and annotations of users become `TaskOptions`."""

from __future__ import annotations

import inspect
import json
import math
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from dask.base import get_annotations

from dagrpc import config
from dagrpc._common.addresses import join_address
from dagrpc._tracing.carrier import carried
from dagrpc.v1 import graph_pb2

NO_DEFAULT: Any = "__no_default__"
"""Stands for an argument that was not given, where None has a meaning."""

Workers: TypeAlias = str | int | Iterable[Any] | None
"""Addresses, names or host names; one or several."""
Duration: TypeAlias = float | str | timedelta | None
"""Seconds, ``"500 ms"`` or a timedelta."""

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_NAMED_HOST = re.compile(r"(?![\d.]+:)[\w.-]+:\d{1,5}")
"""A host's name, not its address, with a port."""
_KNOWN = ("workers", "allow_other_workers", "resources", "retries", "priority", "actor", "executor", "timeout")


def worker_names(workers: Workers) -> list[str]:
    """Return a user's choice of workers as strings, addresses without a scheme.

    An address in a list may be a pair of host and port.

    Examples
    --------
    >>> worker_names("alice")
    ['alice']
    >>> worker_names(["tcp://10.0.0.1:9000", 3])
    ['10.0.0.1:9000', '3']
    >>> worker_names([("10.0.0.1", 9000), "alice"])
    ['10.0.0.1:9000', 'alice']
    """
    if workers is None:
        return []
    if isinstance(workers, str) or not isinstance(workers, Iterable):
        workers = [workers]
    return [_worker_name(worker) for worker in workers]


def _worker_name(worker: Any) -> str:
    if isinstance(worker, tuple | list) and len(worker) == 2 and isinstance(worker[1], int):
        worker = join_address(*worker)
    text = str(worker)
    return text.partition("://")[2] or text


def _with_addresses(names: list[str]) -> list[str]:
    """Return names of workers, with the addresses of names that consist of a host's name and a port."""
    found = [address for name in names if _NAMED_HOST.fullmatch(name) for address in _addresses(name)]
    return list(dict.fromkeys([*names, *found])) if found else names


@lru_cache(256)
def _addresses(name: str) -> list[str]:
    host, _, port = name.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError, OverflowError):
        # The text may be the name of a worker.
        return []
    return [join_address(str(address[0]), int(port)) for *_, address in found]


def names_nobody(workers: Workers) -> bool:
    """Return whether a choice of workers was made that contains no worker.

    Examples
    --------
    >>> names_nobody([]), names_nobody(None), names_nobody("alice")
    (True, False, False)
    """
    return workers is not None and not worker_names(workers)


@lru_cache(256)
def _seconds(value: float | str | timedelta) -> float:
    return config.seconds(value) or 0.0


def fifo_seconds(value: Duration) -> float:
    """Return a ``fifo_timeout`` in seconds."""
    return 0.0 if value is None else _seconds(value)


def explicit_options(
    *,
    workers: Workers = None,
    allow_other_workers: bool | None = False,
    resources: Mapping[str, float] | None = None,
    retries: int | None = None,
    priority: float = 0,
    actor: Any = False,
    timeout: Duration = None,
) -> dict[str, Any]:
    """Return the options of a submission that are not at their defaults.

    Raises
    ------
    ValueError
        If other workers are allowed without the option `workers`.
    """
    if isinstance(workers, Iterator):
        # It is read more than once.
        workers = list(workers)
    # Not the truth value of `workers`: the name of a worker may be 0.
    named = bool(worker_names(workers))
    if allow_other_workers and workers is None:
        raise ValueError("Only use allow_other_workers= if using workers=")
    given: dict[str, Any] = {}
    if named:
        given["workers"] = workers
    if allow_other_workers and named:
        given["allow_other_workers"] = True
    if resources:
        given["resources"] = resources
    if retries:
        given["retries"] = retries
    if priority:
        given["priority"] = priority
    # Not the truth value of `actor`: it may be a collection, which has none.
    if actor is not None and actor is not False:
        given["actor"] = actor
    if timeout is not None:
        given["timeout"] = timeout
    return given


def task_options(given: Mapping[str, Any]) -> graph_pb2.TaskOptions | None:
    """Return options and annotations as a message; None if all are at their defaults.

    Raises
    ------
    TypeError, ValueError
        If a value does not fit its option.
    """
    options = graph_pb2.TaskOptions()
    options.workers.extend(_with_addresses(worker_names(given.get("workers"))))
    options.allow_other_workers = bool(given.get("allow_other_workers"))
    for name, amount in (given.get("resources") or {}).items():
        options.resources[str(name)] = _number("resources", amount)
    retries = given.get("retries") or 0
    options.retries = max(0, int(_number("retries", retries)))
    options.priority = _number("priority", given.get("priority") or 0)
    options.actor = bool(given.get("actor"))
    options.executor = str(given.get("executor") or "")
    timeout = given.get("timeout")
    if timeout is not None:
        options.timeout_seconds = time_limit(timeout)
    others = {str(name): value for name, value in given.items() if name not in _KNOWN}
    if others:
        options.annotations = json.dumps(others, default=str)
    return options if options.ByteSize() else None


def time_limit(timeout: Any) -> float:
    """Return the time limit of a task in seconds.

    Raises
    ------
    TypeError, ValueError
        If the limit is not a duration above 0.

    Examples
    --------
    >>> time_limit("500 ms")
    0.5
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float, str, timedelta)):
        raise TypeError(f"timeout must be a number of seconds, a string or a timedelta, not {timeout!r}")
    try:
        seconds = config.seconds(timeout)
    except KeyError as error:
        raise ValueError(f"timeout {timeout!r} is not a duration: {error.args[0]}") from None
    if seconds is None or not 0.0 < seconds < math.inf:
        raise ValueError(f"timeout must be above 0 and finite, not {timeout!r}; leave it out for no limit")
    return seconds


def without_timeout(function: Any, kwargs: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the arguments of a call without the option ``timeout``, and the option.

    A function that has a parameter ``timeout`` or takes any keyword argument keeps the argument; the option is None
    then. Built-in functions without a signature, like `time.sleep`, hardly ever have such a parameter.

    Examples
    --------
    >>> without_timeout(abs, {"timeout": 3})
    ({}, 3)
    >>> def fetch(url, timeout=None): ...
    >>> without_timeout(fetch, {"timeout": 3})
    ({'timeout': 3}, None)
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD or (parameter.name == "timeout" and parameter.kind in _BY_NAME):
            return kwargs, None
    return {name: value for name, value in kwargs.items() if name != "timeout"}, kwargs["timeout"]


def _number(name: str, value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return number


def active_annotations() -> Mapping[str, Any]:
    """Return the annotations of what the calling code submits: those of dask, and the trace."""
    annotations: Mapping[str, Any] = get_annotations()
    trace = carried.get()
    return {**annotations, **trace} if trace else annotations


def submission_options(given: Mapping[str, Any]) -> graph_pb2.TaskOptions | None:
    """Return the options of a submission, which override active annotations."""
    if not given and not get_annotations() and not carried.get():
        return None
    return task_options({**active_annotations(), **given})


def connect_timeout() -> float:
    """Return the seconds in which a peer has to answer."""
    return config.get_seconds("comm.timeouts.connect") or 30.0
