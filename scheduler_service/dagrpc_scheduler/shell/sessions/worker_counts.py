"""Counts of what has happened to workers since the scheduler started."""

from __future__ import annotations

from collections import Counter, OrderedDict

from dagrpc.v1 import failure_pb2

LEFT = "left"
"""The worker said that it leaves."""
UNKNOWN = "unknown"
"""Nobody knows how the worker ended: it has no nanny, or its nanny is gone, too."""
CAUSES = (LEFT, UNKNOWN, "exited", "signal", "memory_limit", "out_of_memory", "no_sign_of_life", "stopped")
"""How workers may end. The later ones are those that nannies tell."""
AGAIN = ("asked", "lost")
"""Why a nanny starts a worker again: the former one left in good order, or it was lost."""
_NANNIES = 10_000
"""Number of nannies that are remembered."""


class WorkerCounts:
    """Counts workers that ended, that nannies started again, and that paused.

    Examples
    --------
    >>> counts = WorkerCounts()
    >>> counts.joined("nanny:1", b"first")
    >>> counts.ended("nanny:1", expected=False)
    >>> counts.joined("nanny:1", b"second")
    >>> counts.restarts["lost"], counts.restarts["asked"]
    (1, 0)
    """

    def __init__(self) -> None:
        self.pauses = 0
        """How often workers have paused for lack of memory."""
        self.exits: Counter[str] = Counter(dict.fromkeys(CAUSES, 0))
        """Workers that ended, by cause."""
        self.restarts: Counter[str] = Counter(dict.fromkeys(AGAIN, 0))
        """Workers that took the place of a former one of the same nanny, by the reason."""
        self._last: OrderedDict[str, bytes] = OrderedDict()
        """The session token of each nanny's last worker."""
        self._lost: set[str] = set()
        """Nannies whose last worker was lost."""

    def joined(self, nanny: str, token: bytes) -> None:
        """Note a worker that joins; the token tells its process from others."""
        if not nanny:
            return
        before = self._last.pop(nanny, None)
        self._last[nanny] = token
        if before not in (None, token):
            self.restarts["lost" if nanny in self._lost else "asked"] += 1
        self._lost.discard(nanny)
        if len(self._last) > _NANNIES:
            self._lost.discard(self._last.popitem(last=False)[0])

    def ended(self, nanny: str, *, expected: bool) -> None:
        """Note that a nanny's worker is no longer part of the cluster."""
        if not expected and nanny in self._last:
            self._lost.add(nanny)

    def explained(self, exit: failure_pb2.WorkerExit | None) -> None:
        """Count a worker that was lost, by how its process ended; None: nobody knows."""
        cause = exit.cause if exit is not None else failure_pb2.EXIT_CAUSE_UNSPECIFIED
        name = failure_pb2.ExitCause.Name(cause).removeprefix("EXIT_CAUSE_").lower()
        self.exits[name if name in self.exits else UNKNOWN] += 1
