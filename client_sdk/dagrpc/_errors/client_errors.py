"""Errors of clients and futures: lost connections, cancelled futures, missing workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any


class CommClosedError(OSError):
    """The connection to a peer is lost, or cannot be made.

    Examples
    --------
    >>> Client("127.0.0.1:1", timeout="100 ms")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.CommClosedError: ... nothing listens at this port
    """


class ClosedClientError(Exception):
    """A closed client was used.

    Examples
    --------
    >>> client.close()
    >>> client.submit(inc, 1)
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.ClosedClientError: ...
    """


class ForkedProcessError(RuntimeError):
    """A client or cluster was used in a process that was forked from the process that made it.

    The forked process can make clients and clusters of its own.
    """


class GraphError(ValueError):
    """The scheduler refused a graph; the message names the keys at fault.

    Examples
    --------
    >>> client.get({"a": (inc, "b"), "b": (inc, "a")}, "a")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.GraphError: ...
    """


class FutureCancelledError(CancelledError):
    """The result of a cancelled future was requested.

    Attributes
    ----------
    key : str
        Key of the future.
    reason : str
        The reason as a word: ``lost dependencies``, ``scheduler-restart``, ``unknown``, ...
    msg : str or None
        The reason as a sentence.

    Examples
    --------
    >>> future = client.submit(inc, 1)
    >>> future.cancel(reason="too slow")
    >>> future.result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.FutureCancelledError: ...too slow...
    """

    def __init__(self, key: str, reason: str = "unknown", msg: str | None = None) -> None:
        self.key = key
        self.reason = reason
        self.msg = msg
        super().__init__(key, reason, msg)

    def __str__(self) -> str:
        return f"{self.key} cancelled for reason: {self.reason}." + (f"\n{self.msg}" if self.msg else "")


class FuturesCancelledError(CancelledError):
    """Some of several futures were cancelled.

    Attributes
    ----------
    error_groups : list of (keys, reason)
        The cancelled keys, by reason.
    messages : dict
        Further explanations by reason.

    Examples
    --------
    >>> futures = client.map(inc, range(2))
    >>> client.cancel(futures)
    >>> wait(futures)
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.FuturesCancelledError: ...
    """

    def __init__(
        self, error_groups: Sequence[tuple[Sequence[Any], str]], messages: Mapping[str, str] | None = None
    ) -> None:
        self.error_groups = error_groups
        self.messages = dict(messages or {})
        super().__init__(error_groups)

    @classmethod
    def of(cls, errors: Iterable[FutureCancelledError]) -> FuturesCancelledError:
        """Group the errors of single futures by reason."""
        groups: dict[str, list[str]] = {}
        messages: dict[str, str] = {}
        for error in errors:
            groups.setdefault(error.reason, []).append(error.key)
            if error.msg:
                messages[error.reason] = error.msg
        return cls([(keys, reason) for reason, keys in groups.items()], messages)

    def __str__(self) -> str:
        count = sum(len(keys) for keys, _ in self.error_groups)
        lines = [f"{count} Future{'s' if count > 1 else ''} cancelled:"]
        for keys, reason in self.error_groups:
            lines.append(f"\tReason: {reason}: {', '.join(map(str, keys[:5]))}{', ...' if len(keys) > 5 else ''}")
            if reason in self.messages:
                lines.append(f"\tMessage: {self.messages[reason]}")
        return "\n".join(lines)


class WorkerStartTimeoutError(TimeoutError):
    """The expected number of workers was not reached in time.

    Attributes
    ----------
    available_workers, expected_workers : int
        The present and the expected number of workers.
    timeout : float
        The waiting time in seconds.

    Examples
    --------
    >>> client.wait_for_workers(5, timeout="10 ms")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.WorkerStartTimeoutError: Only 2/5 workers arrived ...
    """

    def __init__(self, available_workers: int, expected_workers: int, timeout: float) -> None:
        self.available_workers = available_workers
        self.expected_workers = expected_workers
        self.timeout = timeout
        super().__init__(available_workers, expected_workers, timeout)

    def __str__(self) -> str:
        return (
            f"Only {self.available_workers}/{self.expected_workers} workers arrived "
            f"within the time limit of {self.timeout:g} s"
        )


class P2PIllegalStateError(RuntimeError):
    """A part of a P2P shuffle was used where it cannot work, such as outside of a cluster."""


class VersionMismatchWarning(Warning):
    """The peers run different versions of something that matters.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore", VersionMismatchWarning)
    """
