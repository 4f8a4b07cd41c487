"""`distributed.comm.addressing`: functions that parse and join addresses, with distributed's schemes."""

from __future__ import annotations

import socket

from dagrpc._common.addresses import is_wildcard, join_address, local_ip, split_address, without_scheme

__all__ = [
    "address_from_user_args",
    "get_address_host",
    "get_address_host_port",
    "get_local_address_for",
    "normalize_address",
    "parse_address",
    "parse_host_port",
    "resolve_address",
    "unparse_address",
    "unparse_host_port",
    "uri_from_host_port",
]


def parse_address(addr: str, strict: bool = False) -> tuple[str, str]:
    """Return scheme and rest of an address.

    Raises
    ------
    TypeError
        If the address is not a text.
    ValueError
        With `strict`, if it has no scheme.

    Examples
    --------
    >>> parse_address("tls://10.0.0.1:8786"), parse_address("10.0.0.1:8786")
    (('tls', '10.0.0.1:8786'), ('tcp', '10.0.0.1:8786'))
    """
    if not isinstance(addr, str):
        raise TypeError(f"An address is text; got {addr!r}")
    scheme, separator, rest = addr.rpartition("://")
    if strict and not separator:
        raise ValueError(f"Address {addr!r} has no scheme; write tcp://{addr}")
    return scheme or "tcp", rest


def unparse_address(scheme: str, loc: str) -> str:
    """Return an address of its parts.

    Examples
    --------
    >>> unparse_address("tcp", "10.0.0.1:8786")
    'tcp://10.0.0.1:8786'
    """
    return f"{scheme}://{loc}"


def normalize_address(addr: str) -> str:
    """Return an address with a scheme.

    Examples
    --------
    >>> normalize_address("10.0.0.1:8786")
    'tcp://10.0.0.1:8786'
    """
    return unparse_address(*parse_address(addr))


def parse_host_port(address: str, default_port: int | None = None) -> tuple[str, int]:
    """Return host and port of an address without a scheme.

    Raises
    ------
    ValueError
        If it has no port and there is no other.

    Examples
    --------
    >>> parse_host_port("10.0.0.1:8786"), parse_host_port("[::1]", 80)
    (('10.0.0.1', 8786), ('::1', 80))
    """
    host, port = split_address(address, -1 if default_port is None else default_port)
    if port < 0:
        raise ValueError(f"missing port number in address {address!r}")
    return host, port


def unparse_host_port(host: str, port: int | None = None) -> str:
    """Return host and port as an address without a scheme.

    Examples
    --------
    >>> unparse_host_port("::1", 8786), unparse_host_port("node7")
    ('[::1]:8786', 'node7')
    """
    return join_address(host, port) if port else join_address(host, 0).removesuffix(":0")


def get_address_host(addr: str) -> str:
    """Return the host of an address.

    Examples
    --------
    >>> get_address_host("tcp://10.0.0.1:8786"), get_address_host("10.0.0.1:8786")
    ('10.0.0.1', '10.0.0.1')
    """
    return split_address(addr)[0]


def get_address_host_port(addr: str, strict: bool = False) -> tuple[str, int]:
    """Return host and port of an address.

    Raises
    ------
    ValueError
        If it has no port; with `strict`, if it has no scheme.

    Examples
    --------
    >>> get_address_host_port("tcp://10.0.0.1:8786")
    ('10.0.0.1', 8786)
    """
    return parse_host_port(parse_address(addr, strict)[1])


def resolve_address(addr: str) -> str:
    """Return an address with the host's name looked up.

    Raises
    ------
    OSError
        If there is no host of that name.

    Examples
    --------
    >>> resolve_address("tcp://127.0.0.1:8786")
    'tcp://127.0.0.1:8786'
    """
    scheme, rest = parse_address(addr)
    host, port = parse_host_port(rest, 0)
    found = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    return unparse_address(scheme, unparse_host_port(found, port))


def get_local_address_for(addr: str) -> str:
    """Return the address of this host, without a port, for a peer at an address.

    Examples
    --------
    >>> get_local_address_for("tcp://127.0.0.1:8786")
    'tcp://127.0.0.1'
    """
    return unparse_address(parse_address(addr)[0], unparse_host_port(local_ip(get_address_host(addr))))


def uri_from_host_port(host_arg: str | None, port_arg: int | str | None, default_port: int) -> str:
    """Return the address to listen on for a host and a port; without either, all interfaces.

    Raises
    ------
    ValueError
        If both say which port, and they differ.

    Examples
    --------
    >>> uri_from_host_port("10.0.0.1", None, 8786), uri_from_host_port("tls://node7:9000", None, 8786)
    ('tcp://10.0.0.1:8786', 'tls://node7:9000')
    """
    scheme, rest = parse_address(host_arg or "")
    host, given = parse_host_port(rest, 0)
    port = int(port_arg) if port_arg else 0
    if given and port and given != port:
        raise ValueError(f"two ports were given: {given} in {host_arg!r}, and {port}")
    if port_arg is None and not given:
        port = default_port
    return unparse_address(scheme, unparse_host_port("" if is_wildcard(host) else host, given or port))


def address_from_user_args(
    host: str | None = None, port: int | str | None = None, default_port: int = 0, protocol: str | None = None
) -> str:
    """Return the address to listen on for the flags of a command.

    Examples
    --------
    >>> address_from_user_args("10.0.0.1", 5)
    'tcp://10.0.0.1:5'
    """
    scheme, rest = parse_address(uri_from_host_port(host, port, default_port))
    return unparse_address((protocol or scheme).removesuffix("://"), without_scheme(rest))
