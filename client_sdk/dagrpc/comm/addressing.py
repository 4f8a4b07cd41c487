"""Functions that parse and join addresses, under distributed's module name."""

from __future__ import annotations

from dagrpc.compat.address_functions import (
    address_from_user_args,
    get_address_host,
    get_address_host_port,
    get_local_address_for,
    normalize_address,
    parse_address,
    parse_host_port,
    resolve_address,
    unparse_address,
    unparse_host_port,
    uri_from_host_port,
)

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
