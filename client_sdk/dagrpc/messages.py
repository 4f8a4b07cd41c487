"""What tasks have to say to people: `print` and `warn`, which every client shows, as it does what concerns its work."""

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
"""How events name the files."""

shown_elsewhere: ContextVar[bool] = ContextVar("dagrpc_shown_elsewhere", default=False)
"""Whether clients are told in another way of what is being printed here, or it came from a worker."""


@contextlib.contextmanager
def _told_otherwise() -> Iterator[None]:
    token = shown_elsewhere.set(True)
    try:
        yield
    finally:
        shown_elsewhere.reset(token)


def print(*args: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False) -> None:
    """Print, on the worker and at every client.

    Like the built-in function. Outside of a task it is no more than that.

    Parameters
    ----------
    *args
        What to print. Clients get the texts of it.
    sep, end : str or None
        What to put between the texts and behind them.
    file : None, sys.stdout or sys.stderr
        Where to print.
    flush : bool
        Whether to flush the file.

    Raises
    ------
    TypeError
        If `file` is another one: clients do not have it.

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
            "Only None, sys.stdout and sys.stderr can be printed to from a task, for clients have no other files of "
            f"its worker; got: {file!r}"
        )
    # Here first: whatever is wrong with the arguments shows before any client has them.
    with _told_otherwise():
        builtins.print(*args, sep=sep, end=end, file=file, flush=flush)
    worker.log_event("print", message)


def _text(value: Any) -> str:
    """Return the text of a value, such that it can be sent."""
    return str(value).encode("utf-8", "replace").decode()


def warn(
    message: str | Warning, category: type[Warning] | None = UserWarning, stacklevel: int = 1, source: Any = None
) -> None:
    """Issue a warning, on the worker and at every client.

    Like `warnings.warn`. Outside of a task it is no more than that.

    Parameters
    ----------
    message : str or Warning
        The warning.
    category : type
        Its kind.
    stacklevel : int
        Which caller to show on the worker: 1 is the one of this function.
    source : optional
        The object that was destroyed, for `ResourceWarning`.

    Raises
    ------
    TypeError
        If the category is not a kind of warning.

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
        # First: where warnings are errors the next line raises.
        worker.log_event("warn", event)
        with _told_otherwise():
            warnings.warn(message, category, stacklevel + 1, source)
        return
    warnings.warn(message, category, stacklevel + 1, source)


# --- at the clients ----------------------------------------------------------------------------------------------


def show_print(event: tuple[float, Any]) -> None:
    """Print what a task printed."""
    message = event[1]
    if not isinstance(message, dict):
        # Somebody logged it by himself.
        message = {"args": (message,)}
    file = {STDOUT: sys.stdout, STDERR: sys.stderr}.get(message.get("file", 0))
    options = {name: message[name] for name in ("sep", "end", "flush") if name in message}
    with _told_otherwise():
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
    """Tell, in the client's log, that work waits for workers that there are not."""
    message = event[1]
    logger.warning("%s", message["message"] if isinstance(message, dict) else message)


DEFAULT_HANDLERS = {"print": show_print, "warn": show_warning, "no-workers": show_shortage}
"""By topic."""
