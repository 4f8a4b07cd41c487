"""Several locks at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from dagrpc._client.client_session import ClientSession
from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation
from dagrpc.coordination._base import Holding, acquire_timeout, wire_name
from dagrpc.v1 import coordination_pb2 as pb

__all__ = ["MultiLock"]


def _release(lease: int) -> pb.Coordinate:
    return pb.Coordinate(release_locks=pb.ReleaseLocks(lease=lease))


def _undo_acquire(request: Request) -> Sequence[pb.Coordinate]:
    return (_release(request.number),)


class MultiLock(Holding):
    """Several locks of the cluster that are acquired together: all of them or none.

    Objects with locks in common cannot block each other for ever, in whatever order they name the locks. Locks go to
    the longest wait first. They are released when the client's session ends. `Lock` has locks of its own.

    Parameters
    ----------
    names : list of str, optional
        Names of the locks.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> with MultiLock(["x", "y"]):
    ...     pass  # nobody else changes x or y meanwhile
    """

    _arguments = ("names",)

    def __init__(self, names: Iterable[Hashable] | None = None, client: Any = None) -> None:
        self._restore([names] if isinstance(names, str) else list(names or ()))
        self._bind(client)

    def _restore(self, names: list[Hashable]) -> None:
        self.names = names
        self._lease: tuple[ClientSession, int] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(map(str, self.names))}>"

    # --- public --------------------------------------------------------------------------------------------------

    def acquire(self, blocking: bool = True, timeout: Duration = None, num_locks: int | None = None) -> Any:
        """Wait until the locks are free, and acquire them.

        Parameters
        ----------
        blocking : bool
            Wait if the locks are taken.
        timeout : number, str or timedelta, optional
            How long to wait; for ever by default.
        num_locks : int, optional
            Number of locks that is enough; all by default.

        Returns
        -------
        bool
            Whether the locks were acquired in time.

        Raises
        ------
        ValueError
            If there is a timeout for a non-blocking call, or there are fewer locks than `num_locks`.
        RuntimeError
            If this object has acquired them already.

        Examples
        --------
        >>> lock = MultiLock(["x", "y"])
        >>> lock.acquire(timeout="1s", num_locks=1)  # one of the two
        True
        >>> lock.release()
        """
        return self._core.run(self._acquire(acquire_timeout(blocking, timeout), num_locks))

    def release(self) -> Any:
        """Release the locks.

        Raises
        ------
        ValueError
            If this object has not acquired them.

        Examples
        --------
        >>> lock = MultiLock(["x", "y"])
        >>> lock.acquire()
        True
        >>> lock.release()
        """
        if self._lease is None:
            raise ValueError("Lock is not yet acquired")
        return self._core.run(self._exit())

    def locked(self) -> bool:
        """Return whether this object has acquired the locks.

        Examples
        --------
        >>> lock = MultiLock(["x", "y"])
        >>> lock.locked()
        False
        >>> with lock:
        ...     lock.locked()
        True
        """
        return self._lease is not None

    # --- operations ----------------------------------------------------------------------------------------------

    def _acquire(self, timeout: float | None, count: int | None) -> Operation[bool]:
        if self._lease is not None:
            raise RuntimeError("The locks are acquired already")
        names = list(dict.fromkeys(wire_name(name) for name in self.names))
        count = count or len(names)
        if not 0 < count <= len(names):
            raise ValueError(f"{count} of {len(names)} locks cannot be acquired")
        session = self._core.session
        message = pb.Coordinate(acquire_locks=pb.AcquireLocks(names=names, count=count))
        if timeout is not None:
            message.timeout_seconds = timeout
        request = Request(session.coordination, message, undo=_undo_acquire)
        answer = yield request
        if answer.done:
            self._lease = (session, request.number)
        return bool(answer.done)

    def _enter(self) -> Operation[Any]:
        yield from self._acquire(None, None)

    def _exit(self) -> Operation[None]:
        if self._lease is None:
            raise ValueError("Lock is not yet acquired")
        (session, lease), self._lease = self._lease, None
        yield Request(session.coordination, _release(lease))
