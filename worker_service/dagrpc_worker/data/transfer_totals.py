"""Counts of the transfers between workers, by the way that the data took."""

from __future__ import annotations


class TransferTotals:
    """Counts transfers in one direction: out of the memory of a process on the same host, and through the network.

    Examples
    --------
    >>> totals = TransferTotals()
    >>> totals.add(True, 100)
    >>> totals.same_host, totals.same_host_nbytes, totals.network
    (1, 100, 0)
    """

    __slots__ = ("network", "network_nbytes", "same_host", "same_host_nbytes")

    def __init__(self) -> None:
        self.same_host = 0
        """Transfers whose receiver read large values from the sender's memory."""
        self.same_host_nbytes = 0
        """Bytes of their results."""
        self.network = 0
        """Transfers whose data was sent, in chunks or in one message."""
        self.network_nbytes = 0
        """Bytes of their results."""

    def add(self, in_memory: bool, nbytes: int) -> None:
        """Count a transfer of results of `nbytes`."""
        if in_memory:
            self.same_host += 1
            self.same_host_nbytes += nbytes
        else:
            self.network += 1
            self.network_nbytes += nbytes

    def numbers(self, direction: str) -> dict[str, float]:
        """Return the counts by the names that heartbeats give them; `direction` is ``incoming`` or ``outgoing``."""
        return {
            f"transfers_{direction}_same_host_total": self.same_host,
            f"transfers_{direction}_same_host_bytes_total": self.same_host_nbytes,
            f"transfers_{direction}_network_total": self.network,
            f"transfers_{direction}_network_bytes_total": self.network_nbytes,
        }
