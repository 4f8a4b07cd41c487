"""Ranges of ports, and ports that are reserved before their server exists."""

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
        If the text is neither.
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
    """Reserves a port for a server that does not exist yet, until the server listens.

    A socket that is bound but does not listen keeps the system from assigning the port to others, and lets a server
    that sets ``SO_REUSEADDR``, as gRPC's servers do, bind it.

    Parameters
    ----------
    ports : sequence of int
        The ports to try, in order; 0: any free port.

    Raises
    ------
    OSError
        If no port is free.
    """

    def __init__(self, host: str, ports: Sequence[int] = (0,)) -> None:
        self._host = host
        self._socket: socket.socket | None = None
        # With SO_REUSEADDR, ports of recently closed connections are available as well, but ports that another process
        # has reserved look free: a second choice.
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
        """Return a socket bound to a port; None if the port is taken."""
        if (self._host, port) in _reserved:
            return None
        bound = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if not alone:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, port))
            # From here on a server that sets this option may bind the port, but another reservation may not.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            bound.close()
            return None
        return bound

    def release(self) -> None:
        """Release the port."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            _reserved.discard((self._host, self.port))
