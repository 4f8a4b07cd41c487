"""`print` and `warn` for tasks: every client shows their output, and messages that concern its work."""

from __future__ import annotations

import builtins
import contextlib
import logging
import pickle
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from dagrpc._codec.pickle5 import dumps_inband
from dagrpc._common import running_task

__all__ = ["print", "warn"]

logger = logging.getLogger("dagrpc.client")

STDOUT, STDERR = 1, 2
"""The numbers of the files in events."""

shown_elsewhere: ContextVar[bool] = ContextVar("dagrpc_shown_elsewhere", default=False)
"""Whether the present output reaches clients in another way, or came from a worker."""


@contextlib.contextmanager
def _shown_elsewhere() -> Iterator[None]:
    token = shown_elsewhere.set(True)
    try:
        yield
    finally:
        shown_elsewhere.reset(token)


def print(*args: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False) -> None:
    """Print on the worker and at every client.

    Outside of a task this is the built-in function.

    Parameters
    ----------
    *args
        Values to print. Clients get their texts.
    sep, end : str or None
        Texts between and after the values.
    file : None, sys.stdout or sys.stderr
        The file to print to.
    flush : bool
        Flush the file.

    Raises
    ------
    TypeError
        If `file` is any other file, which clients do not have.

    Examples
    --------
    >>> import dagrpc
    >>> def load(path):
    ...     dagrpc.print("loading", path)  # in a task: shown where the clients are
    >>> load("a.csv")
    loading a.csv
    """
    worker = running_task.any_worker()
    if worker is None:
        builtins.print(*args, sep=sep, end=end, file=file, flush=flush)
        return
    message: dict[str, Any] = {"args": tuple(map(_text, args)), "sep": sep, "end": end, "flush": bool(flush)}
    if file is sys.stdout:
        message["file"] = STDOUT
    elif file is sys.stderr:
        message["file"] = STDERR
    elif file is not None:
        raise TypeError(
            "A task can print to None, sys.stdout and sys.stderr only, since clients have no other files of its worker"
            f"; got: {file!r}"
        )
    # The worker prints first: wrong arguments raise before clients get them.
    with _shown_elsewhere():
        builtins.print(*args, sep=sep, end=end, file=file, flush=flush)
    worker.log_event("print", message)


def _text(value: Any) -> str:
    """Return the text of a value in a form that can be sent."""
    return str(value).encode("utf-8", "replace").decode()


def warn(
    message: str | Warning, category: type[Warning] | None = UserWarning, stacklevel: int = 1, source: Any = None
) -> None:
    """Issue a warning on the worker and at every client.

    Outside of a task this is `warnings.warn`.

    Parameters
    ----------
    message : str or Warning
        The warning.
    category : type
        Class of the warning.
    stacklevel : int
        The caller to show on the worker; 1: the caller of this function.
    source : optional
        The object that was destroyed, for `ResourceWarning`.

    Raises
    ------
    TypeError
        If the category is not a class of warnings.

    Examples
    --------
    >>> import dagrpc
    >>> def load(path):
    ...     dagrpc.warn(f"{path} is empty", RuntimeWarning)  # in a task: shown where the clients are
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as shown:
    ...     load("a.csv")
    >>> shown[0].message
    RuntimeWarning('a.csv is empty')
    """
    worker = running_task.any_worker()
    if worker is not None:
        if category is not None and not (isinstance(category, type) and issubclass(category, Warning)):
            raise TypeError(f"category must be a Warning subclass, not {type(category).__name__!r}")
        event = {"message": dumps_inband(message), "category": dumps_inband(category), "worker": worker.address}
        # Sent first: the next line raises where warnings are errors.
        worker.log_event("warn", event)
        with _shown_elsewhere():
            warnings.warn(message, category, stacklevel + 1, source)
        return
    warnings.warn(message, category, stacklevel + 1, source)


# --- at the clients ----------------------------------------------------------------------------------------------


def show_print(event: tuple[float, Any]) -> None:
    """Print what a task printed."""
    message = event[1]
    if not isinstance(message, dict):
        # Logged directly under the topic.
        message = {"args": (message,)}
    file = {STDOUT: sys.stdout, STDERR: sys.stderr}.get(message.get("file", 0))
    options = {name: message[name] for name in ("sep", "end", "flush") if name in message}
    with _shown_elsewhere():
        builtins.print(*message.get("args", ()), file=file, **options)


def show_warning(event: tuple[float, Any]) -> None:
    """Issue the warning that a task issued."""
    message = event[1]
    if not isinstance(message, dict):
        warnings.warn(str(message), stacklevel=2)
        return
    category = pickle.loads(message["category"]) if "category" in message else None
    warnings.warn(pickle.loads(message["message"]), category or UserWarning, stacklevel=2)


def show_shortage(event: tuple[float, Any]) -> None:
    """Log at the client that work waits for missing workers."""
    message = event[1]
    logger.warning("%s", message["message"] if isinstance(message, dict) else message)


DEFAULT_HANDLERS = {"print": show_print, "warn": show_warning, "no-workers": show_shortage}
"""By topic."""
