"""Ports: ranges of them, and knowing one before the server that will have it exists."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from dagrpc._common.addresses import join_address

_reserved: set[tuple[str, int]] = set()
"""Hosts and ports that are reserved in this process."""


def parse_ports(text: str) -> tuple[int, int]:
    """Return the first and the last port of ``port`` or ``first:last``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    first, separator, last = text.partition(":")
    try:
        ports = int(first), int(last if separator else first)
    except ValueError:
        raise ValueError(f"{text!r} is neither a port nor a range first:last") from None
    if not 0 <= ports[0] <= ports[1] <= 65535:
        raise ValueError(f"{text!r} is not a range of ports from 0 to 65535")
    return ports


class ReservedPort:
    """A port that is ours before the server exists that will listen on it.

    A bound socket that does not listen keeps others from being given the port, yet lets a server bind it that sets
    ``SO_REUSEADDR``, as gRPC's do. Released once the server listens.

    Parameters
    ----------
    host : str
        To bind to.
    ports : sequence of int
        What to try, in order; 0 is any free one.

    Raises
    ------
    OSError
        If none is free.
    """

    def __init__(self, host: str, ports: Sequence[int] = (0,)) -> None:
        self._host = host
        self._socket: socket.socket | None = None
        # Ports of connections that were closed a moment ago can be had, too, but then one does not see who else has
        # reserved one of them: only where there are no others.
        for alone in (True, False):
            for port in ports:
                self._socket = self._bind(port, alone)
                if self._socket is not None:
                    self.port: int = self._socket.getsockname()[1]
                    _reserved.add((host, self.port))
                    return
        first, last = ports[0], ports[-1]
        if first == last:
            raise OSError(f"Cannot listen on {join_address(host, first)}: the port is taken or the host is not here")
        raise OSError(
            f"Cannot listen on any of the ports {first}:{last} of {host}: all are taken or the host is not here"
        )

    def _bind(self, port: int, alone: bool) -> socket.socket | None:
        """Return a socket that is bound to a port; None if it cannot be."""
        if (self._host, port) in _reserved:
            return None
        bound = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if not alone:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, port))
            # From here on a server may bind it that sets the same, but nobody who reserves it.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            bound.close()
            return None
        return bound

    def release(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            _reserved.discard((self._host, self.port))
