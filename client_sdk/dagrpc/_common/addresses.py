"""Addresses in the form that users write and in the form that gRPC takes."""

from __future__ import annotations

import re
import socket

_SCHEMES = ("tcp", "grpc", "grpcs", "tls")
_HOST = re.compile(r"[\w.:%-]+")
"""The characters of hosts: names in any script, and addresses, also with the zone of an interface."""


def parse_address(address: str, default_port: int = 8786) -> str:
    """Return ``host:port`` for an address that a user has written.

    Accepts ``host``, ``host:port``, ``[v6]:port`` and the same with a scheme (``tcp://``, ``grpc://``, ``tls://``).

    Raises
    ------
    ValueError
        If the address is empty, has another scheme, an impossible port, or a character that no host has.

    Examples
    --------
    >>> parse_address("127.0.0.1")
    '127.0.0.1:8786'
    >>> parse_address("tcp://node7:9000")
    'node7:9000'
    """
    rest = address
    if "://" in address:
        scheme, _, rest = address.partition("://")
        if scheme not in _SCHEMES:
            raise ValueError(f"Address {address!r} has scheme {scheme!r}; use one of {', '.join(_SCHEMES)}, or none")
    rest = rest.rstrip("/")
    if not rest:
        raise ValueError(f"Address {address!r} names no host; write host:port")
    host, port = split_address(rest, default_port)
    if not _HOST.fullmatch(host):
        raise ValueError(f"Address {address!r} names no host: {host!r} is not a host; write host:port")
    return join_address(host, port)


def without_scheme(address: str) -> str:
    """Return an address without its scheme, if it has one.

    Examples
    --------
    >>> without_scheme("tcp://node7:9000"), without_scheme("node7:9000")
    ('node7:9000', 'node7:9000')
    """
    return address.rpartition("://")[2]


def split_address(address: str, default_port: int = 0) -> tuple[str, int]:
    """Return host and port of ``host:port``; IPv6 hosts may stand in brackets, and a scheme before it."""
    address = without_scheme(address)
    host, separator, port = address.rpartition(":")
    if not separator or address.endswith("]") or (":" in host and not host.startswith("[")):
        return address.strip("[]"), default_port
    if not port.isdigit() or int(port) > 65535:
        raise ValueError(f"Address {address!r} has port {port!r}; a port is a number from 0 to 65535")
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening_place(host: str, port: int | None = None) -> tuple[str, int | None]:
    """Return the host and the port on which a server listens; the host may have a scheme and the port in it.

    Raises
    ------
    ValueError
        If the port is named twice, the scheme is unknown, or the host is invalid.

    Examples
    --------
    >>> listening_place("tcp://127.0.0.1"), listening_place("tcp://127.0.0.1:9000")
    (('127.0.0.1', None), ('127.0.0.1', 9000))
    >>> listening_place("::1", 9000), listening_place("tcp://:9000")
    (('::1', 9000), ('0.0.0.0', 9000))
    """
    scheme, separator, rest = host.rpartition("://")
    if separator and scheme not in _SCHEMES:
        raise ValueError(f"Host {host!r} has scheme {scheme!r}; use one of {', '.join(_SCHEMES)}, or none")
    found, named = split_address(rest.rstrip("/"), -1)
    if found and not _HOST.fullmatch(found):
        raise ValueError(f"{host!r} names no host to listen on: {found!r} is not a host")
    if named >= 0 and port is not None:
        raise ValueError(f"The port is named twice: in the host {host!r}, and as {port}")
    return found or "0.0.0.0", (named if named >= 0 else port)


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine's loopback."""
    host, _ = split_address(address)
    return host in ("localhost", "::1") or host.startswith("127.")


def is_wildcard(host: str) -> bool:
    """Return whether binding to a host means all interfaces."""
    return host in ("", "0.0.0.0", "::")


def local_ip(towards: str = "8.8.8.8") -> str:
    """Return this machine's address on the interface that leads to another machine; nothing is sent."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 80))
        except OSError:
            return "127.0.0.1"
        name: str = probe.getsockname()[0]
        return name


def interface_ip(interface: str) -> str:
    """Return the IPv4 address of a network interface.

    Raises
    ------
    ValueError
        If there is no such interface, or it has no IPv4 address; the message lists the usable interfaces.
    """
    import psutil

    found = {
        name: [a.address for a in addresses if a.family == socket.AF_INET]
        for name, addresses in psutil.net_if_addrs().items()
    }
    if not found.get(interface):
        usable = ", ".join(sorted(name for name, ips in found.items() if ips))
        raise ValueError(f"Interface {interface!r} has no IPv4 address here; there are: {usable}")
    return found[interface][0]
