"""Limits on the calls that a server takes at once. Further calls are refused before they cost anything."""

from __future__ import annotations

from dagrpc import config
from dagrpc.exceptions import LimitReachedError


class CallLimits:
    """Counts the calls under way, of each connection and in total.

    Raises
    ------
    ValueError
        If a limit is less than 1.
    """

    def __init__(self) -> None:
        self._each = _positive("comm.limits.calls-per-connection")
        self._all = _positive("comm.limits.calls")
        self._by_connection: dict[str, int] = {}
        self.under_way = 0

    def begin(self, connection: str, rpc: str) -> None:
        """Count a call until `end`.

        Raises
        ------
        LimitReachedError
            If too many calls are under way; names the limit and its setting. The call is not counted.
        """
        if self.under_way >= self._all:
            raise LimitReachedError(f"{rpc}: {self._all} calls are under way here, the limit (comm.limits.calls)")
        count = self._by_connection.get(connection, 0)
        if count >= self._each:
            raise LimitReachedError(
                f"{rpc}: this connection has {self._each} calls under way here, the limit "
                "(comm.limits.calls-per-connection)"
            )
        self.under_way += 1
        self._by_connection[connection] = count + 1

    def end(self, connection: str) -> None:
        """Stop counting a call."""
        self.under_way -= 1
        left = self._by_connection.pop(connection) - 1
        if left:
            self._by_connection[connection] = left


def _positive(key: str) -> int:
    limit = int(config.get(key))
    if limit < 1:
        raise ValueError(f"{key} must be at least 1, not {limit}")
    return limit
