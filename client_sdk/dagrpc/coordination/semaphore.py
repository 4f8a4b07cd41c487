"""Locks and semaphores."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Generator, Hashable, Sequence
from typing import Any, Self

from dagrpc._client.client_session import ClientSession
from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation, run_awaiting
from dagrpc.coordination._base import Holding, acquire_timeout, new_name, wait_seconds
from dagrpc.v1 import coordination_pb2 as pb

__all__ = ["Lock", "Semaphore"]

logger = logging.getLogger("dagrpc.client")


def _release(lease: int) -> pb.Coordinate:
    return pb.Coordinate(release_lease=pb.ReleaseLease(lease=lease))


def _undo_acquire(request: Request) -> Sequence[pb.Coordinate]:
    return (_release(request.number),)


class Semaphore(Holding):
    """A semaphore of the cluster, with a number of leases.

    Leases go to the longest wait first. A lease is renewed while this object and its client live. It ends when it was
    not renewed for ``scheduler.locks.lease-timeout``, or when the client's session ends.

    Parameters
    ----------
    max_leases : int
        Number of leases; the same for all objects of the name.
    name : str, optional
        Name of the semaphore; by default a new name.
    scheduler_rpc, loop
        Accepted for compatibility.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> semaphore = Semaphore(2, name="database")
    >>> def query(i, semaphore):
    ...     with semaphore:
    ...         return i  # at most two tasks at a time are here
    >>> client.gather(client.map(query, range(3), semaphore=semaphore))
    [0, 1, 2]
    """

    _arguments: tuple[str, ...] = ("name", "max_leases")
    _kind = "semaphore"
    _transient = False

    def __init__(
        self,
        max_leases: int = 1,
        name: Hashable | None = None,
        scheduler_rpc: object = None,
        loop: object = None,
        client: Any = None,
    ) -> None:
        if not isinstance(max_leases, int):
            raise TypeError(f"max_leases must be an int, not {max_leases!r}")
        self._restore(new_name(self._kind) if name is None else name, max_leases)
        self._bind(client)

    def _restore(self, name: Hashable, max_leases: int) -> None:
        self.name = name
        self.id = uuid.uuid4().hex
        """Id of this object, which differs from those of objects with the same name."""
        self.max_leases = max_leases
        self._leases: deque[tuple[ClientSession, int]] = deque()
        self._registered = False

    # --- public --------------------------------------------------------------------------------------------------

    def acquire(self, timeout: Duration = None) -> Any:
        """Wait until a lease is free, and acquire it.

        Parameters
        ----------
        timeout : number, str or timedelta, optional
            How long to wait; for ever by default.

        Returns
        -------
        bool
            Whether a lease was acquired in time.

        Raises
        ------
        ValueError
            If another object has the name and another number of leases.
        RuntimeError
            If the semaphore was closed.

        Examples
        --------
        >>> semaphore = Semaphore(1)
        >>> semaphore.acquire()
        True
        >>> semaphore.acquire(timeout="10 ms")
        False
        """
        return self._core.run(self._acquire(wait_seconds(timeout)))

    def release(self) -> Any:
        """Release a lease.

        Returns
        -------
        bool
            True.

        Raises
        ------
        RuntimeError
            If this object holds no lease.

        Examples
        --------
        >>> semaphore = Semaphore(1)
        >>> semaphore.acquire()
        True
        >>> semaphore.release()
        True
        """
        if not self._leases:
            raise RuntimeError("Released too often")
        return self._core.run(self._exit())

    def get_value(self) -> Any:
        """Return the number of leases that are held on the cluster.

        Examples
        --------
        >>> semaphore = Semaphore(2)
        >>> with semaphore:
        ...     semaphore.get_value()
        1
        """
        return self._core.run(self._count())

    def register(self, **kwargs: Any) -> Any:
        """Make the semaphore known to the scheduler, as the first `acquire` does too.

        Raises
        ------
        ValueError
            If another object has the name and another number of leases.

        Examples
        --------
        >>> semaphore = Semaphore(2)
        >>> semaphore.register()
        """
        return self._core.run(self._register())

    def close(self) -> Any:
        """Delete the semaphore and all its leases. Waits for a lease end with a `RuntimeError`.

        Examples
        --------
        >>> semaphore = Semaphore(2)
        >>> semaphore.close()
        """
        return self._core.run(self._close())

    def __await__(self) -> Generator[Any, Any, Self]:
        return run_awaiting(self._made()).__await__()

    # --- operations ----------------------------------------------------------------------------------------------

    def _made(self) -> Operation[Self]:
        yield from self._register()
        return self

    def _acquire(self, timeout: float | None) -> Operation[bool]:
        session = self._core.session
        message = self._message(timeout)
        operation = message.acquire_lease
        operation.max_leases = max(0, self.max_leases)
        operation.transient = self._transient
        operation.registered = self._registered
        request = Request(session.coordination, message, owner=self, undo=_undo_acquire)
        answer = yield request
        _raise_refusal(answer)
        self._registered = True
        if answer.done:
            self._leases.append((session, request.number))
        return bool(answer.done)

    def _enter(self) -> Operation[Any]:
        yield from self._acquire(None)

    def _exit(self) -> Operation[bool]:
        try:
            session, lease = self._leases.popleft()
        except IndexError:
            raise RuntimeError("Released too often") from None
        session.coordination.release(lease)
        answer = yield Request(session.coordination, _release(lease))
        if not answer.done:
            logger.warning("A lease of %r had ended before it was released: another may have acquired it", self.name)
        return True

    def _count(self) -> Operation[int]:
        message = self._message()
        message.count_leases.SetInParent()
        answer = yield Request(self._core.session.coordination, message)
        return int(answer.number)

    def _register(self) -> Operation[None]:
        message = self._message()
        message.register_semaphore.max_leases = max(0, self.max_leases)
        answer = yield Request(self._core.session.coordination, message)
        _raise_refusal(answer)
        self._registered = True

    def _close(self) -> Operation[None]:
        message = self._message()
        message.close_semaphore.SetInParent()
        yield Request(self._core.session.coordination, message)


class Lock(Semaphore):
    """A lock of the cluster.

    A `Semaphore` with one lease, which goes to the longest wait first and is taken from a holder that is gone.

    Parameters
    ----------
    name : str, optional
        Name of the lock; by default a new name.
    scheduler_rpc, loop
        Accepted for compatibility.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> lock = Lock("file")
    >>> def append(i, lock):
    ...     with lock:
    ...         return i  # one task at a time is here
    >>> client.gather(client.map(append, range(3), lock=lock))
    [0, 1, 2]
    """

    _arguments = ("name",)
    _kind = "lock"
    _transient = True

    def __init__(
        self, name: Hashable | None = None, scheduler_rpc: object = None, loop: object = None, client: Any = None
    ) -> None:
        super().__init__(1, name, scheduler_rpc, loop, client)

    def _restore(self, name: Hashable, max_leases: int = 1) -> None:
        super()._restore(name, max_leases)

    def acquire(self, blocking: bool = True, timeout: Duration = None) -> Any:  # type: ignore[override]
        """Wait until the lock is free, and acquire it.

        Parameters
        ----------
        blocking : bool
            Wait if the lock is taken.
        timeout : number, str or timedelta, optional
            How long to wait; for ever by default.

        Returns
        -------
        bool
            Whether a lease was acquired in time.

        Raises
        ------
        ValueError
            If there is a timeout for a non-blocking call.

        Examples
        --------
        >>> lock = Lock()
        >>> lock.acquire(timeout=10)
        True
        >>> lock.acquire(blocking=False)
        False
        >>> lock.release()
        True
        """
        return self._core.run(self._acquire(acquire_timeout(blocking, timeout)))

    def locked(self) -> Any:
        """Return whether the lock is held.

        Examples
        --------
        >>> lock = Lock()
        >>> lock.locked()
        False
        >>> with lock:
        ...     lock.locked()
        True
        """
        return self._core.run(self._locked())

    def _locked(self) -> Operation[bool]:
        return (yield from self._count()) > 0

    def _made(self) -> Operation[Self]:
        return self
        yield


def _raise_refusal(answer: pb.Coordinated) -> None:
    if answer.refusal == pb.COORDINATION_REFUSAL_INCONSISTENT:
        raise ValueError(answer.message)
    if answer.refusal:
        raise RuntimeError(answer.message)
