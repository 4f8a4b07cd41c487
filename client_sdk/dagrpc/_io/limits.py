"""How much a server takes on at once. What is beyond that is refused, before it costs anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dagrpc import config
from dagrpc.exceptions import LimitReachedError


class CallLimits:
    """Counts the calls under way, of each connection and of all.

    Raises
    ------
    ValueError
        If a limit is less than 1.

    Examples
    --------
    >>> limits = CallLimits()
    >>> with limits.counted("ipv4:127.0.0.1:40000", "WorkerService.GetData"):
    ...     limits.under_way
    1
    """

    def __init__(self) -> None:
        self._each = _positive("comm.limits.calls-per-connection")
        self._all = _positive("comm.limits.calls")
        self._by_connection: Counter[str] = Counter()
        self.under_way = 0

    @contextmanager
    def counted(self, connection: str, rpc: str) -> Iterator[None]:
        """Count a call while it lasts.

        Raises
        ------
        LimitReachedError
            If there are too many; names the limit and its setting.
        """
        if self.under_way >= self._all:
            raise LimitReachedError(f"{rpc}: {self._all} calls are under way here, the limit (comm.limits.calls)")
        if self._by_connection[connection] >= self._each:
            raise LimitReachedError(
                f"{rpc}: this connection has {self._each} calls under way here, the limit "
                "(comm.limits.calls-per-connection)"
            )
        self.under_way += 1
        self._by_connection[connection] += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._by_connection[connection] -= 1
            if not self._by_connection[connection]:
                del self._by_connection[connection]


def _positive(key: str) -> int:
    limit = int(config.get(key))
    if limit < 1:
        raise ValueError(f"{key} must be at least 1, not {limit}")
    return limit
