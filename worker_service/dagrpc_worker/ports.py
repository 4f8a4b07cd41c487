"""Ports: ranges of them, and knowing one before the server that will have it exists."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from dagrpc._util.addresses import join_address


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
    ports : iterable of int
        What to try, in order; 0 is any free one.

    Raises
    ------
    OSError
        If none is free.
    """

    def __init__(self, host: str, ports: Iterable[int] = (0,)) -> None:
        tried = []
        self._socket: socket.socket | None = None
        for port in ports:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            reserved = socket.socket(family, socket.SOCK_STREAM)
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                reserved.bind((host, port))
            except OSError:
                reserved.close()
                tried.append(port)
                continue
            self._socket = reserved
            self.port: int = reserved.getsockname()[1]
            return
        names = ", ".join(join_address(host, port) for port in tried[:3]) + (", ..." if len(tried) > 3 else "")
        raise OSError(f"Cannot listen on {names}: the port is taken or the host is not here")

    def release(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
